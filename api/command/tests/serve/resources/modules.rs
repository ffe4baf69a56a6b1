//! Modules.

use super::{all, each};
use crate::client::{BYTES, TOML};
use crate::server::{Options, Server};
use crate::subjects::{bundled, unique};

#[test]
fn a_module_is_uploaded_once_found_by_both_names_and_deleted() {
    let server = Server::fresh();
    let client = &server.client;
    let bytes = bundled("printk.ko");
    let first = client.upload_module("printk.ko", bytes).expect(201);
    let module = first.json();
    let id = module["id"].as_str().unwrap();
    assert_eq!((&module["name"], &module["size"]), (&"printk.ko".into(), &bytes.len().into()));
    assert_eq!(first.header("location"), format!("/api/v1/modules/{id}"));
    // The same bytes, whatever they are called and however they are packed.
    for (name, same) in [("printk.ko", bytes.to_vec()), ("other.ko.gz", gzip(bytes))] {
        assert_eq!(client.upload_module(name, &same).expect(200).json(), module, "{name}");
    }
    for name in [id, "printk.ko"] {
        let details = client.get(&format!("/api/v1/modules/{name}")).expect(200).json();
        assert_eq!(details["id"], id);
        let imports = details["report"]["imports"].as_array().unwrap();
        assert!(!imports.is_empty(), "{details:#}");
        let content = client.get(&format!("/api/v1/modules/{name}/content")).expect(200);
        assert_eq!(content.body, bytes);
    }
    client.delete(&format!("/api/v1/modules/{id}")).expect(204);
    for gone in [id, "printk.ko"] {
        client.get(&format!("/api/v1/modules/{gone}")).expect(404);
        client.get(&format!("/api/v1/modules/{gone}/content")).expect(404);
        client.delete(&format!("/api/v1/modules/{gone}")).expect(404);
    }
    client.upload_module("printk.ko", &gzip(bytes)).expect(201);
}

#[test]
fn a_name_means_the_newest_module_of_it() {
    let server = Server::fresh();
    let client = &server.client;
    let ids = [1, 2].map(|seed| {
        let reply = client.upload_module("m.ko", &unique(seed, 8)).expect(201);
        reply.json()["id"].as_str().unwrap().to_owned()
    });
    assert_eq!(client.get("/api/v1/modules/m.ko").json()["id"], ids[1]);
    client.delete("/api/v1/modules/m.ko").expect(204);
    assert_eq!(client.get("/api/v1/modules/m.ko").json()["id"], ids[0]);
}

#[test]
fn what_is_no_module_is_refused_with_the_reason() {
    let limits = "module-bytes = 20000";
    let server = Server::fresh_with(Options { limits, ..Options::default() });
    let client = &server.client;
    let bytes = unique(1, 8);
    let upload = "/api/v1/modules?name=m.ko";
    let cut = &bytes[..70];
    for damaged in [&b""[..], b"not a module", cut, &b"\x7fELF"[..]] {
        assert!(!client.post(upload, BYTES, damaged).expect(422).detail().is_empty());
    }
    let mut packed = gzip(&bytes);
    let middle = packed.len() / 2;
    packed[middle] ^= 0x55;
    client.post("/api/v1/modules?name=m.ko.gz", BYTES, &packed).expect(422);
    packed.truncate(middle);
    client.post("/api/v1/modules?name=m.ko.gz", BYTES, &packed).expect(422);
    // Too large as it comes, and as it is unpacked.
    assert!(client.post(upload, BYTES, vec![0; 20_001]).expect(413).detail().contains("20000"));
    client.post("/api/v1/modules?name=m.ko.gz", BYTES, zeros_packed(30_000)).expect(413);
    for other in [TOML, "text/plain", ""] {
        assert!(client.post(upload, other, &bytes).expect(415).detail().contains(BYTES));
    }
    for query in ["", "?nam=m.ko", "?name=m.ko&more=1", "?name=m.ko&name=n.ko"] {
        client.post(&format!("/api/v1/modules{query}"), BYTES, &bytes).expect(400);
    }
    assert!(all(client, "/api/v1/modules", 10).is_empty());
    assert!(server.client.get("/api/v1/statistics").json()["disk"]["blobs"] == 0);
}

#[test]
fn lists_come_in_pages() {
    let server = Server::fresh();
    let client = &server.client;
    let names: Vec<_> = (0..7).map(|seed| format!("m{seed}.ko")).collect();
    for (seed, name) in names.iter().enumerate() {
        client.upload_module(name, &unique(seed as u64, 8)).expect(201);
    }
    let newest_first: Vec<_> = names.iter().rev().map(String::as_str).collect();
    for limit in [1, 3, 7, 500] {
        let found = all(client, "/api/v1/modules", limit);
        assert_eq!(each(&found, "name"), newest_first, "{limit} at a time");
    }
    for wrong in ["limit=0", "limit=501", "limit=-1", "limit=x", "before=x", "before=", "page=1"] {
        client.get(&format!("/api/v1/modules?{wrong}")).expect(400);
    }
}

/// Bytes in the gzip format (RFC 1952), in stored blocks.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let blocks: Vec<_> = bytes.chunks(0xffff).collect();
    for (index, block) in blocks.iter().enumerate() {
        packed.push(u8::from(index + 1 == blocks.len()));
        let len = block.len() as u16;
        packed.extend(len.to_le_bytes());
        packed.extend((!len).to_le_bytes());
        packed.extend(*block);
    }
    packed.extend(crc32(bytes).to_le_bytes());
    packed.extend((bytes.len() as u32).to_le_bytes());
    packed
}

/// So many zeros, packed into few bytes: one literal and then matches of 258 at distance 1, in the
/// fixed code of RFC 1951.
fn zeros_packed(len: usize) -> Vec<u8> {
    let mut bits: Vec<bool> = Vec::new();
    let mut code =
        |value: u32, width: u32| bits.extend((0..width).rev().map(|bit| value >> bit & 1 == 1));
    // The last block, of type 01; its two bits are stored from the lowest.
    code(0b110, 3);
    code(0b0011_0000, 8);
    let matches = (len - 1) / 258;
    for _ in 0..matches {
        // Length 258 is symbol 285, 8 bits from 0b11000000 for 280; distance 1 is symbol 0.
        code(0b1100_0101, 8);
        code(0, 5);
    }
    code(0, 7);
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for byte in bits.chunks(8) {
        packed.push(byte.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit)));
    }
    let zeros = vec![0; 1 + matches * 258];
    packed.extend(crc32(&zeros).to_le_bytes());
    packed.extend((zeros.len() as u32).to_le_bytes());
    packed
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}
