//! The device is opened once, however many machines there are.
#![cfg(target_os = "linux")]

use std::fs;

use native_vmx::{NativeArch, probe};

/// Descriptors of this process that are `/dev/kvm`. Those of virtual machines have other names.
fn opened() -> usize {
    let descriptors = fs::read_dir("/proc/self/fd").expect("Linux has it");
    let names = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    names.filter(|name| name.as_os_str() == "/dev/kvm").count()
}

#[test]
fn the_device_is_opened_once() {
    if let Err(reason) = NativeArch::new() {
        println!("skipped: {reason}");
        assert_eq!(opened(), 0);
        return;
    }
    assert_eq!(opened(), 1, "it stays open");
    probe();
    let machines: Vec<_> = (0..3).map(|_| NativeArch::new().expect("it was there")).collect();
    assert_eq!(opened(), 1);
    drop(machines);
    assert_eq!(opened(), 1);
}
