//! Why `/dev/kvm` cannot be opened, and what to do about it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What the device is called.
const DEVICE: &str = "/dev/kvm";
/// Read and write, of a file's mode.
const BOTH: u32 = 0o6;

/// What to do where there is no device.
pub(super) fn absent() -> &'static str {
    advise_absent(in_container())
}

/// What to do where the device may not be opened.
pub(super) fn refused() -> String {
    let Ok(metadata) = fs::metadata(DEVICE) else {
        // Somebody took it away, or this process sees no files.
        return "add this user to the group that owns it, and log in again".into();
    };
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let group = metadata.gid();
    let process = Process::of(&read("/proc/self/status"));
    let node = Node {
        mode: metadata.mode(),
        owner: metadata.uid(),
        group,
        name: group_name(&read("/etc/group"), group),
        container: in_container(),
    };
    advise_refused(&node, &process)
}

/// Whether this is a container, as far as those who start containers say so.
fn in_container() -> bool {
    let marks = ["/.dockerenv", "/run/.containerenv"];
    marks.iter().any(|mark| Path::new(mark).exists()) || std::env::var_os("container").is_some()
}

const fn advise_absent(container: bool) -> &'static str {
    if container {
        "start the container with --device /dev/kvm; if the host has none either, `lcd host` says \
         there what to do"
    } else {
        "load the kvm_intel or kvm_amd module, and enable virtualization in the firmware (or nested \
         virtualization, in a virtual machine)"
    }
}

/// The device's file.
struct Node {
    mode: u32,
    owner: u32,
    group: u32,
    /// The group's name, if it has one here.
    name: Option<String>,
    container: bool,
}

/// Who this process is.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    user: u32,
    groups: Vec<u32>,
}

impl Process {
    /// What `/proc/self/status` says: the second number of `Uid` and `Gid` is the one that counts.
    fn of(status: &str) -> Self {
        let numbers = |name: &str| -> Vec<u32> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.into_iter().flat_map(str::split_whitespace).flat_map(str::parse).collect()
        };
        let second = |name| numbers(name).get(1).copied();
        let mut groups = numbers("Groups:");
        groups.extend(second("Gid:"));
        // Nobody in particular, if it cannot be read.
        Self { user: second("Uid:").unwrap_or(u32::MAX), groups }
    }

    /// Whether the file's mode lets it read and write.
    fn is_allowed(&self, node: &Node) -> bool {
        let shift = if self.user == node.owner {
            6
        } else if self.groups.contains(&node.group) {
            3
        } else {
            0
        };
        self.user == 0 || (node.mode >> shift) & BOTH == BOTH
    }
}

fn advise_refused(node: &Node, process: &Process) -> String {
    let Node { mode, group, ref name, container, .. } = *node;
    if process.is_allowed(node) {
        return "its mode allows it, so a rule about devices does not: start the container with \
                --device /dev/kvm, or give the service's unit `DeviceAllow=/dev/kvm rw`"
            .into();
    }
    let is_shared = group != 0 && (mode >> 3) & BOTH == BOTH;
    match (is_shared, container) {
        (true, true) => format!(
            "it belongs to group {group}: start the container with --device /dev/kvm --group-add \
             {group}"
        ),
        (true, false) => match name {
            Some(name) => format!(
                "it belongs to the group {name}: add this user with `sudo usermod -aG {name} \
                 $USER`, and log in again"
            ),
            None => format!(
                "it belongs to group {group}, which has no name here: give that group one, add \
                 this user to it, and log in again"
            ),
        },
        (false, true) => "only root can open it: on the host, give it to a group \
             (packaging/60-lcd-kvm.rules does that), then start the container with --device \
             /dev/kvm and --group-add with that group's number"
            .into(),
        (false, false) => "only root can open it: give it to the group kvm, with `sudo chgrp kvm \
             /dev/kvm && sudo chmod 660 /dev/kvm` until the next start, or with \
             packaging/60-lcd-kvm.rules for good; then add this user with `sudo usermod -aG kvm \
             $USER`, and log in again"
            .into(),
    }
}

/// The name that `/etc/group` has for a group.
fn group_name(groups: &str, number: u32) -> Option<String> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, found) = (fields.next()?, fields.nth(1)?);
        (found.parse() == Ok(number)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::{Node, Process, advise_absent, advise_refused, group_name};

    const SOMEBODY: u32 = 1000;

    fn advice(mode: u32, group: u32, container: bool, groups: &[u32]) -> String {
        let name = group_name("root:x:0:\nkvm:x:104:somebody\n", group);
        // The type of a device is in its mode as well.
        let node = Node { mode: 0o020_000 | mode, owner: 0, group, name, container };
        advise_refused(&node, &Process { user: SOMEBODY, groups: groups.into() })
    }

    #[test]
    fn the_group_that_owns_it_is_named() {
        let text = advice(0o660, 104, false, &[SOMEBODY]);
        assert!(text.contains("the group kvm") && text.contains("usermod -aG kvm"), "{text}");
        let text = advice(0o660, 36, false, &[SOMEBODY]);
        assert!(text.contains("group 36, which has no name"), "{text}");
    }

    #[test]
    fn where_it_is_only_roots_there_is_a_rule() {
        for (mode, group) in [(0o600, 0), (0o660, 0), (0o600, 104), (0o640, 104)] {
            let text = advice(mode, group, false, &[SOMEBODY]);
            assert!(text.contains("only root"), "{mode:o} {group}: {text}");
            assert!(text.contains("60-lcd-kvm.rules"), "{mode:o} {group}: {text}");
            let text = advice(mode, group, true, &[SOMEBODY]);
            assert!(text.contains("on the host"), "{mode:o} {group}: {text}");
        }
    }

    #[test]
    fn a_container_is_told_how_to_be_started() {
        let text = advice(0o660, 104, true, &[SOMEBODY]);
        assert!(text.contains("--device /dev/kvm --group-add 104"), "{text}");
        assert!(advise_absent(true).contains("--device /dev/kvm"));
        assert!(!advise_absent(false).contains("--device"));
    }

    #[test]
    fn where_the_mode_allows_it_something_else_refuses() {
        for text in [
            advice(0o660, 104, false, &[104]),
            advice(0o666, 0, true, &[]),
            advise_refused(
                &Node { mode: 0o600, owner: 0, group: 0, name: None, container: true },
                &Process { user: 0, groups: vec![0] },
            ),
        ] {
            assert!(text.contains("DeviceAllow") && text.contains("--device"), "{text}");
        }
    }

    #[test]
    fn the_owner_is_not_asked_for_its_group() {
        let node = Node { mode: 0o060, owner: SOMEBODY, group: 7, name: None, container: false };
        assert!(!Process { user: SOMEBODY, groups: vec![7] }.is_allowed(&node));
        assert!(Process { user: 2, groups: vec![7] }.is_allowed(&node));
    }

    #[test]
    fn the_kernel_says_who_this_is() {
        let status = "Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t104 20 \n";
        assert_eq!(Process::of(status), Process { user: 2, groups: vec![104, 20, 6] });
        assert_eq!(Process::of(""), Process { user: u32::MAX, groups: vec![] });
        let here = std::fs::read_to_string("/proc/self/status").unwrap();
        assert_ne!(Process::of(&here).user, u32::MAX);
    }

    #[test]
    fn broken_lines_of_groups_are_passed_over() {
        let groups = "\n:\nx\nkvm:x:\nkvm:x:many:\nreal:x:9:a,b\n";
        assert_eq!(group_name(groups, 9).as_deref(), Some("real"));
        assert_eq!(group_name(groups, 10), None);
    }
}
