//! The API is told as if it were the product: `buf lint` has nothing to say about it, and everything in it has a comment.

use std::process::Command;

use anyhow::Result;
use prost::Message as _;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet};

#[test]
fn the_protobuf_files_are_clean_to_their_linter() -> Result<()> {
    let Some(buf) = std::env::var_os("ATLAS_BUF") else {
        system_tests::skipped("buf lint", "ATLAS_BUF names no buf; `cargo dev test` brings one");
        return Ok(());
    };
    let linted = Command::new(buf).arg("lint").current_dir(dev::paths::repository().join("proto")).output()?;
    let said = String::from_utf8_lossy(&linted.stdout);
    assert!(linted.status.success(), "{said}{}", String::from_utf8_lossy(&linted.stderr));
    Ok(())
}

#[test]
fn every_service_method_message_field_and_value_has_a_comment() -> Result<()> {
    let files = FileDescriptorSet::decode(pb::FILE_DESCRIPTOR_SET)?.file;
    let ours: Vec<_> = files.iter().filter(|file| file.package().starts_with("tenantatlas.")).collect();
    assert!(ours.len() >= 7, "the descriptor set has lost files");
    let mut silent = Vec::new();
    for file in ours {
        let told = Told::of(file);
        for (index, service) in file.service.iter().enumerate() {
            told.check(&[6, number(index)], service.name(), &mut silent);
            for (at, method) in service.method.iter().enumerate() {
                told.check(&[6, number(index), 2, number(at)], method.name(), &mut silent);
            }
        }
        for (index, message) in file.message_type.iter().enumerate() {
            told.check_message(&[4, number(index)], message, &mut silent);
        }
        for (index, set) in file.enum_type.iter().enumerate() {
            told.check_enum(&[5, number(index)], set, &mut silent);
        }
    }
    assert!(silent.is_empty(), "without a comment: {silent:#?}");
    Ok(())
}

fn number(index: usize) -> i32 {
    i32::try_from(index).expect("a file is small")
}

/// The places of a file that have a comment above them, by their paths in its descriptor.
struct Told<'f> {
    file: &'f str,
    places: Vec<&'f [i32]>,
}

impl<'f> Told<'f> {
    fn of(file: &'f FileDescriptorProto) -> Self {
        let locations = file.source_code_info.iter().flat_map(|info| &info.location);
        let told = locations.filter(|place| !place.leading_comments().trim().is_empty());
        Self { file: file.name(), places: told.map(|place| place.path.as_slice()).collect() }
    }

    fn check(&self, path: &[i32], name: &str, silent: &mut Vec<String>) {
        if !self.places.contains(&path) {
            silent.push(format!("{}: {name}", self.file));
        }
    }

    fn check_message(&self, path: &[i32], message: &DescriptorProto, silent: &mut Vec<String>) {
        self.check(path, message.name(), silent);
        let inside = |kind: i32, index: usize| [path, &[kind, number(index)]].concat();
        for (index, field) in message.field.iter().enumerate() {
            self.check(&inside(2, index), &format!("{}.{}", message.name(), field.name()), silent);
        }
        for (index, nested) in message.nested_type.iter().enumerate() {
            self.check_message(&inside(3, index), nested, silent);
        }
        for (index, nested) in message.enum_type.iter().enumerate() {
            self.check_enum(&inside(4, index), nested, silent);
        }
        // An `optional` field is in a group of its own that nobody wrote.
        let written = |index: usize| {
            let members = message.field.iter().filter(|field| field.oneof_index == Some(number(index)));
            members.into_iter().any(|field| !field.proto3_optional())
        };
        for (index, group) in message.oneof_decl.iter().enumerate().filter(|(index, _)| written(*index)) {
            self.check(&inside(8, index), &format!("{}.{}", message.name(), group.name()), silent);
        }
    }

    fn check_enum(&self, path: &[i32], set: &EnumDescriptorProto, silent: &mut Vec<String>) {
        self.check(path, set.name(), silent);
        for (index, value) in set.value.iter().enumerate() {
            self.check(&[path, &[2, number(index)]].concat(), value.name(), silent);
        }
    }
}
