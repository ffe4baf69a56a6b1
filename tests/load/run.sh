#!/usr/bin/env bash
# Two hundred clients for a minute, on loopback: reads, uploads, runs and followed streams, beside
# as many clients of a server with nothing in it. Needs wrk, curl and a release build.
#
#   tests/load/run.sh [seconds]
#
# Prints what was measured as JSON and fails if there was an error other than 429 (and the 422 of
# uploads that are no modules), if reads at the 99th percentile took more than five times as long as
# the bare handler's, if memory grew, or if the server did not shut down in time.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds="${1:-60}"
target="${CARGO_TARGET_DIR:-target}"
for tool in wrk curl; do
    command -v "$tool" >/dev/null || { echo "$tool is missing (apt-get install $tool)"; exit 1; }
done
cargo build --quiet --release --locked
cargo build --quiet --release --locked -p lcd-load
export LOAD_DIR="$PWD/tests/load"
place="$(mktemp -d)"
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$place"' EXIT

"$target/release/lcd" serve --listen 127.0.0.1:0 --data "$place/data" --log warn \
    >"$place/serve.out" 2>"$place/serve.log" &
server=$!
"$target/release/lcd-load" >"$place/bare.out" &
url() { for _ in $(seq 100); do grep -o 'http://[0-9.:]*' "$1" | head -1 && return; sleep 0.1; done; }
sleep 1
api="$(url "$place/serve.out")"; bare="$(url "$place/bare.out")"

# Something to read: runs that are over, and the smallest of the bundled modules to upload.
for world in printk revoke; do
    curl -sf -H 'Content-Type: application/json' -d "{\"world\":\"$world\"}" "$api/api/v1/runs" >/dev/null
done
until curl -sf "$api/api/v1/runs/2" | grep -q '"state":"finished"'; do sleep 0.1; done
export LOAD_MODULE="$place/load.ko"
cp "$(find "$target" -name printk.ko -print -quit)" "$LOAD_MODULE" || true
[ -s "$LOAD_MODULE" ] || { echo "no module to upload: printk.ko is not below $target"; exit 1; }

memory() { curl -sf "$api/metrics" | sed -n 's/^process_resident_memory_bytes //p'; }
follow() { # starts a run, follows it live to its end, and once more from its beginning
    local end=$((SECONDS + seconds)) run
    while [ $SECONDS -lt $end ]; do
        run="$(curl -s -H 'Content-Type: application/json' "$api/api/v1/runs" \
            -d '{"world":"revoke","kind":"run","backends":["sim"]}' | grep -o '"href":"[^"]*"' | cut -d'"' -f4)"
        # Refused with 429: as many wait as may.
        [ -n "$run" ] || { sleep 1; continue; }
        for _ in 1 2; do
            curl -sN --max-time $((seconds + 20)) "$api$run/stream" | grep -q '^event: end' || echo broken
        done
    done
}
clients=()
for _ in $(seq 20); do follow >>"$place/streams" & clients+=($!); done
wrk -t2 -c120 -d"${seconds}s" --latency -s "$LOAD_DIR/reads.lua" "$api" >"$place/reads" & clients+=($!)
wrk -t1 -c30 -d"${seconds}s" -s "$LOAD_DIR/uploads.lua" "$api" >"$place/uploads" & clients+=($!)
wrk -t1 -c30 -d"${seconds}s" -s "$LOAD_DIR/runs.lua" "$api" >"$place/runs" & clients+=($!)
wrk -t2 -c120 -d"${seconds}s" --latency -s "$LOAD_DIR/common.lua" "$bare" >"$place/bare" & clients+=($!)
sleep $((seconds / 3)); early="$(memory)"
sleep $((seconds / 3)); middle="$(memory)"
wait "${clients[@]}" || true
late="$(memory)"

begin=$(date +%s%N); kill -TERM $server
code=0; wait $server || code=$?
took=$((($(date +%s%N) - begin) / 1000000))

result() { sed -n 's/^RESULT //p' "$place/$1"; }
field() { result "$1" | grep -o "\"$2\":[0-9]*" | cut -d: -f2; }
ratio=$(( $(field reads p99_us) * 100 / $(field bare p99_us) ))
cat <<JSON
{"host": "$("$target/release/lcd" host | sed -n 's/^native: //p' | head -1)", "seconds": $seconds,
 "reads": $(result reads),
 "bare": $(result bare),
 "uploads": $(result uploads),
 "runs": $(result runs),
 "broken_streams": $(grep -c broken "$place/streams" || true),
 "p99_ratio_percent": $ratio,
 "resident_bytes": [$early, $middle, $late],
 "shutdown": {"exit_code": $code, "milliseconds": $took}}
JSON
failed=0
wrong() { echo "FAILED: $*"; failed=1; }
for kind in reads uploads runs; do
    others="$(result $kind | grep -o '"statuses":{[^}]*}' | grep -o '"[0-9]*":' | tr -d '":' \
        | grep -v -e '^2' -e '^429$' || true)"
    [ "$kind" = uploads ] && others="$(grep -v '^422$' <<<"$others" || true)"
    [ -z "$others" ] || wrong "$kind: answers with $others"
    [ "$(field $kind socket_errors)" = 0 ] || wrong "$kind: errors of sockets"
done
grep -q broken "$place/streams" && wrong "a stream broke"
[ "$ratio" -le 500 ] || wrong "reads take $ratio % of the bare handler's time at the 99th percentile"
[ "${late%.*}" -le $((${early%.*} * 5 / 4)) ] || wrong "memory grew from $early to $late bytes"
[ "$code" = 0 ] && [ "$took" -le 11000 ] || wrong "shutdown: exit code $code after $took ms"
grep -q panicked "$place/serve.log" && wrong "a panic: $(grep panicked "$place/serve.log" | head -1)"
exit $failed
