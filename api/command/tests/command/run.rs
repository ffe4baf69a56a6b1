//! `lcd run`.

use std::fs;

use serde_json::json;

use crate::command::{FAILURE, Place, SETUP, SUCCESS, USAGE, backends, lcd, lcd_with};

#[test]
fn people_see_the_console_and_how_it_ended() {
    for backend in backends() {
        let done = lcd(&["run", "printk", "--backend", backend]).expect(SUCCESS);
        let expected = "hello from a domain\nmessage 1 of 3: one\nmessage 2 of 3: two\n\
                        message 3 of 3: three\nmain exited with 0\n";
        assert_eq!(done.stdout, expected);
        // What is not the result is not on standard output.
        assert!(done.stderr.starts_with(&format!("{backend}: ")), "{}", done.stderr);
    }
}

#[test]
fn scripts_get_the_documented_shape() {
    for backend in backends() {
        let arguments = ["run", "null-pointer", "--backend", backend, "--format", "json"];
        let report = lcd(&arguments).expect(SUCCESS).json();
        let keys: Vec<_> = report.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["backend", "domains", "events"]);
        assert_eq!(report["backend"], backend);
        assert!(report["events"].as_u64().unwrap() > 5);
        let domain = &report["domains"][0];
        assert_eq!(domain["name"], "main");
        assert_eq!(domain["console"], "");
        let thread = &domain["threads"][0];
        let registers = thread["registers"].as_object().unwrap();
        assert_eq!(registers.len(), 18);
        for name in ["rax", "rsp", "r8", "r15", "rip", "rflags"] {
            let text = registers[name].as_str().unwrap();
            let digits = text.strip_prefix("0x").unwrap();
            assert!(u64::from_str_radix(digits, 16).is_ok(), "{name}: {text}");
        }
        // How far into the function is the compiler's business.
        let at = thread["end"]["at"].as_str().unwrap();
        assert!(at.starts_with("null_pointer.ko!init_module+0x"), "{at}");
        let expected = json!({
            "reason": "exception", "vector": 14, "name": "#PF", "code": 4, "address": "0x8",
            "rip": registers["rip"], "at": at,
        });
        assert_eq!(thread["end"], expected);
    }
}

#[test]
fn an_exit_has_its_value_and_a_fault_both_addresses() {
    for backend in backends() {
        let end = |world| {
            let arguments = ["run", world, "--backend", backend, "--format", "json"];
            lcd(&arguments).expect(SUCCESS).json()["domains"][0]["threads"][0]["end"].clone()
        };
        let exit = end("init-fails");
        assert_eq!((&exit["reason"], &exit["value"]), (&json!("exit"), &json!(-22)));
        let fault = end("pages");
        assert_eq!(fault["reason"], "fault");
        assert_eq!(fault["address"], "0x40001008");
        assert_eq!(fault["guest_physical"], "0x40001008");
        assert_eq!(fault["access"], "read");
        assert!(fault["rip"].as_str().unwrap().starts_with("0x1"));
        let unprovided = end("unprovided");
        assert_eq!(unprovided["symbol"], "usb_submit_urb");
    }
}

#[test]
fn under_a_killed_thread_is_why_it_was_refused() {
    for backend in backends() {
        // A parent took the page away.
        let text = lcd(&["run", "revoke", "--backend", backend]).stdout;
        let lines: Vec<_> = text.lines().collect();
        let killed = lines.iter().position(|line| line.starts_with("child: ")).unwrap();
        let why = lines[killed + 1];
        assert!(why.starts_with("  ") && why.contains("revoke"), "{text}");
        assert!(lines[killed + 2].contains("rax "), "{text}");
        // Nobody has a say in a division by zero.
        let text = lcd(&["run", "divide-by-zero", "--backend", backend]).stdout;
        let mut lines = text.lines().skip_while(|line| !line.starts_with("main: "));
        assert!(lines.nth(1).unwrap().contains("rax "), "{text}");
    }
}

#[test]
fn the_exit_code_says_whether_it_went_well() {
    let place = Place::with(&["printk.ko", "null_pointer.ko", "init_fails.ko"]);
    let path = |name| place.join(name).to_str().unwrap().to_owned();
    for backend in backends() {
        let run = |what: &str| lcd(&["run", what, "--backend", backend]);
        run(&path("printk.ko")).expect(SUCCESS);
        let killed = run(&path("null_pointer.ko")).expect(FAILURE);
        assert!(killed.stdout.contains("exception #PF, code 0x4, at 0x8"), "{}", killed.stdout);
        assert!(killed.stdout.contains("rflags 0x"), "{}", killed.stdout);
        let refused = run(&path("init_fails.ko")).expect(FAILURE);
        assert!(refused.stdout.contains("exited with -22"), "{}", refused.stdout);
        // A world that expects it is as it should be.
        run("null-pointer").expect(SUCCESS);
        run("init-fails").expect(SUCCESS);
    }
}

#[test]
fn a_world_that_is_not_as_expected_says_what_is_different() {
    let place = Place::with(&["printk.ko"]);
    let world = place.file(
        "wrong.toml",
        "name = \"wrong\"\n[[domain]]\nname = \"main\"\nmodule = \"printk.ko\"\n\
         [[expect]]\ndomain = \"main\"\nend = \"exit\"\nvalue = 7\n",
    );
    for backend in backends() {
        let done = lcd(&["run", &world, "--backend", backend]).expect(FAILURE);
        assert!(done.stderr.contains("main: expected value 7, got 0"), "{}", done.stderr);
    }
}

#[test]
fn the_log_is_written_and_repeats_byte_for_byte() {
    let place = Place::new();
    let [first, second] = ["first", "second"].map(|name| {
        let path = place.join(name);
        let path = path.to_str().unwrap();
        lcd(&["run", "revoke", "--backend", "sim", "--log", path]).expect(SUCCESS);
        fs::read_to_string(path).unwrap()
    });
    assert!(first == second, "two runs of the simulator differ");
    let lines: Vec<_> = first.lines().collect();
    let header: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!((&header["lcd_log"], &header["backend"]), (&json!(1), &json!("sim")));
    assert!(lines[1..].iter().all(|line| line.starts_with("{\"domain\":")));
    // As many as the report counts.
    let report = lcd(&["run", "revoke", "--backend", "sim", "--format", "json"]).json();
    assert_eq!(report["events"], lines.len() - 1);
}

#[test]
fn a_log_that_cannot_be_written_is_an_error_that_names_it() {
    let done = lcd(&["run", "printk", "--backend", "sim", "--log", "/nonexistent/log"]);
    let done = done.expect(SETUP);
    assert!(done.stderr.contains("cannot write the log to /nonexistent/log"), "{}", done.stderr);
}

#[test]
fn a_time_limit_ends_a_spinning_module() {
    let place = Place::with(&["load.ko"]);
    let module = place.join("load.ko");
    for backend in backends() {
        let arguments = ["--format", "json", "--timeout", "100ms", "--backend", backend];
        let arguments = [&["run", module.to_str().unwrap()], &arguments[..]].concat();
        let report = lcd(&arguments).expect(FAILURE).json();
        assert_eq!(report["domains"][0]["threads"][0]["end"]["reason"], "timeout");
    }
    // None at all is a limit too.
    let arguments = ["run", module.to_str().unwrap(), "--timeout", "0", "--backend", "sim"];
    let done = lcd(&arguments).expect(FAILURE);
    assert!(done.stdout.contains("reached its limit"), "{}", done.stdout);
}

#[test]
fn a_world_s_own_limit_ends_a_spinning_module() {
    let place = Place::with(&["load.ko"]);
    let world = place.file(
        "short.toml",
        "name = \"short\"\n[limits]\ninstructions = 1000000\nmilliseconds = 100\n\
         [[domain]]\nname = \"main\"\nmodule = \"load.ko\"\n\
         [[expect]]\ndomain = \"main\"\nend = \"timeout\"\n",
    );
    for backend in backends() {
        lcd(&["run", &world, "--backend", backend]).expect(SUCCESS);
    }
}

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let colored = |arguments: &[&str], environment: &[(&str, &str)]| {
        let all = [&["run", "null-pointer", "--backend", "sim"], arguments].concat();
        lcd_with(&all, environment).expect(SUCCESS).stdout.contains('\x1b')
    };
    assert!(!colored(&[], &[]), "a pipe is no terminal");
    assert!(colored(&["--color", "always"], &[]));
    assert!(colored(&["--color", "always"], &[("NO_COLOR", "1")]), "an option beats a habit");
    assert!(!colored(&["--color", "never"], &[]));
    assert!(!colored(&["--color", "auto"], &[("NO_COLOR", "1")]));
    let arguments = ["run", "printk", "--backend", "sim", "--format", "json", "--color", "always"];
    lcd(&arguments).json();
}

#[test]
fn without_a_command_or_with_a_wrong_one_there_is_help() {
    assert!(lcd(&[]).expect(USAGE).stderr.contains("Usage"));
    assert!(lcd(&["rnu"]).expect(USAGE).stderr.contains("'rnu'"));
    let help = lcd(&["--help"]).expect(SUCCESS).stdout;
    for code in [" 0  success", " 1  ", " 2  ", "96  ", "100  "] {
        assert!(help.contains(code), "{code}: {help}");
    }
    assert!(lcd(&["--version"]).expect(SUCCESS).stdout.starts_with("lcd "));
}
