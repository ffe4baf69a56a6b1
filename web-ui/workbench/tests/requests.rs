//! Requests as the page writes them, to answers as it reads them.

use lcd_workbench::answer;
use serde_json::{Value, json};
use shared_model::bundle::Bundle;
use shared_model::bundle::assemble::{AssembleError, world_of};
use shared_model::session::{Request, Session};
use shared_model::world::World;
use wasm_sim::SimArch;

/// Asks, with files, and takes the answer to pieces.
fn ask(request: &Value, files: &[&[u8]]) -> Result<(Value, Vec<u8>), String> {
    let json = request.to_string();
    let mut input = (json.len() as u32).to_le_bytes().to_vec();
    input.extend(json.bytes());
    files.iter().for_each(|file| input.extend(*file));
    let output = answer(&input)?;
    let length = u32::from_le_bytes(output[..4].try_into().unwrap()) as usize;
    Ok((serde_json::from_slice(&output[4..4 + length]).unwrap(), output[4 + length..].to_vec()))
}

fn named(files: &[(&str, &[u8])]) -> Value {
    files.iter().map(|(name, bytes)| json!({ "name": name, "length": bytes.len() })).collect()
}

fn assembled(text: &str) -> Vec<u8> {
    let (answer, object) =
        ask(&json!({ "assemble": { "name": "main", "text": text } }), &[]).unwrap();
    assert_eq!(answer["complaints"], json!([]));
    object
}

const WORLD: &str = "name = \"w\"\n[[domain]]\nname = \"main\"\nmodule = \"main.ko\"\n";

const PROGRAM: &str = "        .extern _printk\n\
    init_module:\n\
            sub     rsp, 8\n\
            lea     rdi, [rip + hello]\n\
            call    _printk\n\
            hypercall yield\n\
            mov     eax, 42\n\
            add     rsp, 8\n\
            ret\n\
            .section .rodata\n\
    hello:  .asciz  \"Hello\\n\"\n";

#[test]
fn a_text_becomes_a_module_that_the_simulator_runs() {
    let object = assembled(PROGRAM);
    let files: [(&str, &[u8]); 2] = [("liblcd", liblcd::OBJECT), ("main.ko", &object)];
    let request = json!({ "bundle": { "world": WORLD, "files": named(&files) } });
    let (answer, bundle) = ask(&request, &files.map(|(_, bytes)| bytes)).unwrap();
    assert_eq!((&answer["complaints"], &answer["missing"]), (&json!([]), &json!([])));
    let bundle = Bundle::decode(&bundle).unwrap();
    assert_eq!(answer["digest"], bundle.digest().to_string());
    // The same as the command's.
    let same =
        world_of::<AssembleError>(World::parse(WORLD).unwrap(), liblcd::OBJECT, &mut |name| {
            assert_eq!(name, "main.ko");
            Ok(Some(object.clone()))
        });
    assert_eq!(same.unwrap(), bundle);
    let mut session = Session::new(SimArch::new(), bundle);
    session.handle(Request::Boot).unwrap();
    session.run(10_000_000, 100_000);
    let log = session.log().to_json_lines();
    assert!(log.contains("Hello") && log.contains("\"value\":42"), "{log}");
}

const REFUSED: &str = "init_module:\n\
            mov     rbx, gs:[LCD_AREA_UTCB]\n\
            mov     qword ptr [rbx + LCD_UTCB_MESSAGE], 12\n\
            hypercall cap_inspect\n\
            mov     rax, [0]\n\
            ret\n";

#[test]
fn a_refusal_is_explained_from_lines_of_a_log() {
    let object = assembled(REFUSED);
    let files: [(&str, &[u8]); 2] = [("liblcd", liblcd::OBJECT), ("main.ko", &object)];
    let request = json!({ "bundle": { "world": WORLD, "files": named(&files) } });
    let (_, bundle) = ask(&request, &files.map(|(_, bytes)| bytes)).unwrap();
    let mut session = Session::new(SimArch::new(), Bundle::decode(&bundle).unwrap());
    session.handle(Request::Boot).unwrap();
    session.run(10_000_000, 100_000);
    let events = session.kernel().events();
    let explain = |event: usize, beginning: usize, from: usize| {
        let text = shared_model::laboratory::lines;
        let pieces = [text(&events[..beginning]), text(&events[from..=event])];
        let [beginning, length] = pieces.each_ref().map(Vec::len);
        let request = json!({ "refusal": {
            "event": event, "beginning": beginning, "from": from, "length": length } });
        let pieces = pieces.each_ref().map(Vec::as_slice);
        ask(&request, &pieces).map(|(answer, files)| {
            assert!(files.is_empty());
            answer
        })
    };
    for number in 0..events.len() {
        let refusal = shared_model::refusal::refusal(events, number);
        assert_eq!(explain(number, 0, 0).unwrap(), json!({ "refusal": refusal }), "{number}");
    }
    let find = |word| events.iter().position(|event| event.kind.word() == word).unwrap();
    let (call, end) = (find("hypercall"), find("ended"));
    // Of a null pointer, all that has to be known is what the domain is called.
    assert_eq!(explain(end, 0, end).unwrap(), json!({ "earlier": true }));
    assert_eq!(explain(end, 3, end), explain(end, 0, 0));
    // That nothing was ever in a slot is only known from everything.
    assert_eq!(explain(call, 3, call).unwrap(), json!({ "earlier": true }));
    let text = explain(call, 0, 0).unwrap()["refusal"]["text"].to_string();
    assert!(text.contains("nothing was ever in slot 12"), "{text}");

    for (event, lines) in [(3, ""), (0, "no event"), (2, "{}\n{}")] {
        let request = json!({ "refusal": {
            "event": event, "beginning": 0, "from": 0, "length": lines.len() } });
        assert!(ask(&request, &[lines.as_bytes()]).is_err(), "{lines}");
    }
}

#[test]
fn what_a_bundle_lacks_is_told_all_at_once() {
    let world = format!("{WORLD}[[module]]\nname = \"more\"\nfile = \"more.ko\"\n");
    let request = json!({ "bundle": { "world": world, "files": [] } });
    let (answer, bundle) = ask(&request, &[]).unwrap();
    assert_eq!(answer["missing"], json!(["liblcd", "main.ko", "more.ko"]));
    assert!(bundle.is_empty() && answer.get("digest").is_none());
}

#[test]
fn a_module_alone_has_the_name_of_its_file_and_its_dependencies() {
    let module = assembled("init_module: ret\n.section .modinfo\n.asciz \"depends=crc_one\"\n");
    let needed = assembled("init_module: ret\n");
    let mut files: Vec<(&str, &[u8])> = vec![("liblcd", liblcd::OBJECT), ("whatever", &module)];
    let ask_for = |files: &[(&str, &[u8])]| {
        let request =
            json!({ "bundle_module": { "name": "my-driver.ko.xz", "files": named(files) } });
        ask(&request, &files.iter().map(|(_, bytes)| *bytes).collect::<Vec<_>>()).unwrap()
    };
    assert_eq!(ask_for(&files).0["missing"], json!(["crc_one.ko"]));
    files.push(("crc-one.ko.gz", &needed));
    let (answer, bundle) = ask_for(&files);
    assert_eq!(answer["missing"], json!([]));
    let bundle = Bundle::decode(&bundle).unwrap();
    assert_eq!(bundle.world.domains[0].module, "my_driver");
    let names: Vec<_> =
        bundle.module("my_driver").unwrap().iter().map(|m| m.name.to_owned()).collect();
    assert_eq!(names, ["liblcd", "crc_one", "my_driver"]);
    let length = bundle.encode().len();
    let (answer, files) =
        ask(&json!({ "unbundle": { "length": length } }), &[&bundle.encode()]).unwrap();
    let lengths: u64 =
        answer["files"].as_array().unwrap().iter().map(|f| f["length"].as_u64().unwrap()).sum();
    assert_eq!((lengths as usize, &answer["world"]["name"]), (files.len(), &json!("my_driver")));
    assert_eq!(answer["digest"], bundle.digest().to_string());
}

#[test]
fn a_worlds_error_is_at_its_place() {
    let text = WORLD.replace("main.ko", "main.ko\"\nrights = \"x");
    let (answer, _) = ask(&json!({ "check_world": { "text": text } }), &[]).unwrap();
    let complaint = &answer["complaints"][0];
    assert_eq!((&complaint["line"], &complaint["column"]), (&json!(5), &json!(1)), "{answer}");
    assert_eq!(complaint["length"], 6);
    let (answer, _) = ask(&json!({ "check_world": { "text": WORLD } }), &[]).unwrap();
    assert_eq!((&answer["name"], &answer["files"]), (&json!("w"), &json!(["main.ko"])));
    let (answer, _) = ask(&json!({ "bundle": { "world": text, "files": [] } }), &[]).unwrap();
    assert_eq!(answer["complaints"][0]["line"], 5);
}

#[test]
fn a_file_that_is_not_compressed_stays_as_it_is_and_a_damaged_one_is_told() {
    let ask_for = |bytes: &[u8]| {
        let request = json!({ "decompress": { "name": "a.ko", "length": bytes.len() } });
        ask(&request, &[bytes]).map(|(_, file)| file)
    };
    assert_eq!(ask_for(b"plain").as_deref(), Ok(&b"plain"[..]));
    let error = ask_for(b"\x1f\x8bnothing").unwrap_err();
    assert!(error.starts_with("a.ko: it cannot be unpacked from gzip"), "{error}");
}

#[test]
fn what_is_no_request_is_refused() {
    assert!(answer(&[]).is_err());
    assert!(answer(&[255, 255, 255, 255, 1]).is_err());
    assert!(ask(&json!({ "frobnicate": {} }), &[]).unwrap_err().contains("does not know"));
    let request = json!({ "unbundle": { "length": 10 } });
    assert_eq!(ask(&request, &[b"short"]).unwrap_err(), "a file is cut off");
    assert!(ask(&request, &[b"no bundle!"]).unwrap_err().contains("not a bundle"));
    let request = json!({ "disassemble": { "address": "0xzz", "bytes": "90", "count": 1 } });
    assert!(ask(&request, &[]).unwrap_err().contains("0xzz"));
    let request = json!({ "lines": { "files": [], "sections": [] } });
    assert!(ask(&request, &[]).is_err());
}

#[test]
fn machine_code_is_shown() {
    let request =
        json!({ "disassemble": { "address": "0x1000", "bytes": "b803000000e7e0c3", "count": 2 } });
    let (answer, _) = ask(&request, &[]).unwrap();
    let lines = answer["instructions"].as_array().unwrap();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[1]["flow"], &lines[1]["address"]), (&json!("hypercall"), &json!("0x1005")));
}
