//! The command line and services that speak TLS: it checks who they are, and sends no token to anybody else.

use anyhow::{Context, Result};
use dev::persona::Persona;
use dev::scene::Script;
use dev::stack::Plan;
use system_tests::story::Story;

use super::{Desk, TARGET};

#[tokio::test]
async fn services_are_believed_by_their_certificates_alone() -> Result<()> {
    let plan = Plan { tls: true, ..Plan::test().await? };
    let story = Story::begin(&Script::own(), plan).await?;
    let desk = Desk::of(&story, Persona::Manager).await?;
    let synced = desk.read(&["sync", TARGET, "--wait"]).await?;
    assert!(synced.lines().last().is_some_and(|line| line.starts_with("Succeeded in ")), "{synced}");

    // Somebody else's authority.
    let other = dev::authority::Authority::new("somebody else's")?;
    let file = desk.home.path().join("other.pem");
    std::fs::write(&file, other.pem())?;
    desk.read(&["context", "set", "demo", "--ca-file", file.to_str().context("a path is text")?]).await?;
    let refused = desk.run(&["whoami", "--timeout", "5s"]).await?;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("certificate"), "it says that it is about the certificate: {refused:?}");
    assert!(refused.err.contains("--ca-file"), "and what to do: {refused:?}");

    // Plain HTTP at the same port.
    let plain = story.scene.stack.endpoints()?.compare.replace("https://", "http://");
    desk.read(&["context", "set", "demo", "--compare", &plain]).await?;
    let refused = desk.run(&["workspaces", "list", "--timeout", "5s"]).await?;
    assert!(refused.code == 2 && refused.err.contains("https://"), "{refused:?}");
    story.scene.close().await
}
