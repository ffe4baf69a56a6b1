//! Worlds.

use super::{all, each};
use crate::client::{BUNDLE, BYTES, JSON, TOML};
use crate::server::{Options, Server};
use crate::subjects::{bundled, world_of};

#[test]
fn a_world_file_is_put_together_with_uploaded_modules() {
    let server = Server::fresh();
    let client = &server.client;
    let world = world_of("mine", "printk.ko");
    // Its module is not there yet.
    let refused = client.upload_world(&world).expect(422);
    assert!(refused.detail().contains("printk.ko"), "{}", refused.text());
    assert!(refused.json()["advice"].as_str().unwrap().contains("/api/v1/modules"));
    let module = client.upload_module("printk.ko", bundled("printk.ko")).expect(201).json();
    let checked = client.post("/api/v1/worlds/check", TOML, &world).expect(200).json();
    assert!(all(client, "/api/v1/worlds?origin=uploaded", 5).is_empty(), "a check stores nothing");
    let first = client.upload_world(&world).expect(201);
    let stored = first.json();
    for field in ["id", "name", "domains"] {
        assert_eq!(stored[field], checked[field], "{field}");
    }
    let id = stored["id"].as_str().unwrap();
    assert_eq!(first.header("location"), format!("/api/v1/worlds/{id}"));
    assert_eq!(client.upload_world(&world).expect(200).json(), stored);
    // Its module is in it: it can be deleted.
    client.delete(module["href"].as_str().unwrap()).expect(204);
    for name in [id, "mine"] {
        let details = client.get(&format!("/api/v1/worlds/{name}")).expect(200).json();
        assert_eq!(
            (&details["source"], &details["origin"]),
            (&world.clone().into(), &"uploaded".into())
        );
        assert_eq!(details["world_file"]["domain"][0]["module"], "printk.ko", "{details:#}");
        let files = details["modules"][0]["files"].as_array().unwrap();
        let file = files.iter().find(|file| file["name"] == "printk.ko").unwrap();
        assert_eq!(file["size"], bundled("printk.ko").len());
    }
    client.delete(&format!("/api/v1/worlds/{id}")).expect(204);
    client.get(&format!("/api/v1/worlds/{id}")).expect(404);
    client.delete("/api/v1/worlds/mine").expect(404);
}

#[test]
fn a_bundle_comes_back_as_it_was() {
    let server = Server::fresh();
    let client = &server.client;
    let bundle = client.get("/api/v1/worlds/revoke/bundle").expect(200);
    assert_eq!(bundle.media_type(), BUNDLE);
    let uploaded = client.post("/api/v1/worlds", BUNDLE, &bundle.body).expect(201).json();
    assert_eq!((&uploaded["name"], &uploaded["domains"]), (&"revoke".into(), &1.into()));
    let id = uploaded["id"].as_str().unwrap();
    assert_eq!(client.get(&format!("/api/v1/worlds/{id}/bundle")).expect(200).body, bundle.body);
    client.post("/api/v1/worlds", BUNDLE, &bundle.body).expect(200);
    let checked = client.post("/api/v1/worlds/check", BUNDLE, &bundle.body).expect(200).json();
    assert_eq!(checked["id"], id);
    for part in [0, 1, 20, bundle.body.len() / 2, bundle.body.len() - 1] {
        client.post("/api/v1/worlds", BUNDLE, &bundle.body[..part]).expect(422);
    }
}

#[test]
fn mistakes_are_named_with_their_places() {
    let limits = "world-bytes = 2000";
    let server = Server::fresh_with(Options { limits, ..Options::default() });
    let client = &server.client;
    for (world, part) in [
        ("name = \"a\"\n[[domain]]\nname = \"main\"\nmodul = \"m.ko\"\n", "line 4"),
        ("name = \"a\"\n\n\n[[domain]\n", "line 4"),
        ("name = \"a\"\n[[domain]]\nname = \"main\"\nmodule = 3\n", "line 4"),
        ("", ""),
    ] {
        for path in ["/api/v1/worlds", "/api/v1/worlds/check"] {
            let detail = client.post(path, TOML, world).expect(422).detail();
            assert!(detail.contains(part), "{world}: {detail}");
        }
    }
    assert!(
        client
            .post("/api/v1/worlds", TOML, b"name = \"\xff\"")
            .expect(422)
            .detail()
            .contains("UTF-8")
    );
    client.post("/api/v1/worlds", TOML, "#".repeat(2001)).expect(413);
    for other in [JSON, BYTES, ""] {
        client.post("/api/v1/worlds", other, "name = \"a\"").expect(415);
    }
}

#[test]
fn bundled_worlds_are_there_from_the_start_and_stay() {
    let server = Server::fresh();
    let client = &server.client;
    let bundled = all(client, "/api/v1/worlds?origin=bundled", 500);
    let names: Vec<_> = bundled_worlds::WORLDS.iter().map(|world| world.name).collect();
    assert_eq!(each(&bundled, "id"), names);
    let details = client.get("/api/v1/worlds/printk").expect(200).json();
    assert_eq!(details["origin"], "bundled");
    assert!(details["source"].as_str().unwrap().contains("printk.ko"));
    assert!(client.delete("/api/v1/worlds/printk").expect(409).detail().contains("comes with lcd"));
    client.get("/api/v1/worlds/nobody").expect(404);

    client.upload_module("printk.ko", crate::subjects::bundled("printk.ko")).expect(201);
    for name in ["a", "b", "c"] {
        client.upload_world(&world_of(name, "printk.ko")).expect(201);
    }
    let uploaded = all(client, "/api/v1/worlds?origin=uploaded", 2);
    assert_eq!(each(&uploaded, "name"), ["c", "b", "a"]);
    let first = client.get("/api/v1/worlds?limit=2").expect(200).json();
    let items = first["items"].as_array().unwrap();
    assert_eq!(each(items, "name")[names.len()..], ["c", "b"], "after the bundled ones");
    let next = first["next"].as_str().unwrap();
    let second = client.get(&format!("/api/v1/worlds?limit=2&before={next}")).expect(200).json();
    assert_eq!(each(second["items"].as_array().unwrap(), "name"), ["a"]);
    client.get("/api/v1/worlds?origin=elsewhere").expect(400);
}
