//! Exports.

use pb::compare::{ExportCompareRequest, ExportFormat};
use serde_json::Value;

use crate::compare::Pair;
use crate::world::World;

async fn export(world: &World, pair: &Pair, format: ExportFormat) -> Vec<Vec<u8>> {
    let request = ExportCompareRequest { selection: Some(pair.selection()), format: format.into() };
    let mut stream = world.user("ada").compare().export_compare(request).await.unwrap().into_inner();
    let mut chunks = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        assert!(message.chunk.len() <= 64 * 1024 && message.chunk.ends_with(b"\n"));
        chunks.push(message.chunk);
    }
    chunks
}

#[tokio::test]
async fn json_lines_hold_a_header_and_every_subject() {
    let world = World::start().await;
    let pair = Pair::in_every_state(&world).await;
    let text = String::from_utf8(export(&world, &pair, ExportFormat::Unspecified).await.concat()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["record"], &lines[0]["counts"]["total"]), (&"compare".into(), &6.into()));
    assert_eq!(lines[0]["fingerprint"].as_str().unwrap().len(), 64);
    let states: Vec<_> = lines[1..].iter().map(|line| line["state"].as_str().unwrap()).collect();
    assert_eq!(
        states,
        ["different", "not_comparable", "missing_in_target", "only_in_target", "identical", "ambiguous"]
    );
}

#[tokio::test]
async fn csv_comes_in_chunks_of_whole_lines() {
    let world = World::start().await;
    let pair = Pair::new(&world).await;
    pair.source(&world).has_many(2_000, 0).await;
    let chunks = export(&world, &pair, ExportFormat::Csv).await;
    assert!(chunks.len() > 1);
    let text = String::from_utf8(chunks.concat()).unwrap();
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 2_001);
    assert!(lines[0].starts_with("subject_key,"));
    assert!(lines.iter().all(|line| line.split(',').count() == 7));
    assert!(lines[1].ends_with(",missing_in_target,1,0"), "{}", lines[1]);
}
