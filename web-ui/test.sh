#!/usr/bin/env bash
# Checks the page: its types, that what is committed in dist/ is what the sources make, its units, and
# the real thing in a real browser.
#
#   web-ui/test.sh [--only STEP] [--filter TEXT] [--bless] [--bench]
#
#   --only STEP     types, build, units or browser; more than once for several. All without it
#   --filter TEXT   only tests whose names match this regular expression
#   --bless         make the README's pictures anew (docs/images)
#   --bench         measure instead of test: prints times, asserts none
#
#   LCD=PATH        the command to test with; built (debug) without it
#   CHROMIUM=PATH   the browser; without it chromium or google-chrome of PATH, installed if root may
#
# Exit status: 0 passed, 1 a check failed, 2 usage, 96 something that is needed is not there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"

say() { printf '\n-- %s\n' "$*"; }
missing() { printf 'web-ui/test.sh: %s\n' "$*" >&2; exit 96; }
usage() { printf 'web-ui/test.sh: %s; see --help\n' "$*" >&2; exit 2; }

steps=()
filter=()
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
        --only)
            case "${2:-}" in
                types | build | units | browser) steps+=("$2") ;;
                *) usage "--only takes types, build, units or browser" ;;
            esac
            shift 2 ;;
        --filter) [ $# -ge 2 ] || usage "--filter takes a text"; filter=(-t "$2"); shift 2 ;;
        --bless) export LCD_BLESS=1; shift ;;
        --bench) export LCD_BENCH=1; shift ;;
        *) usage "what is $1" ;;
    esac
done
[ ${#steps[@]} -gt 0 ] || steps=(types build units browser)
# Nothing else is worth waiting for when measuring or making pictures.
[ -z "${LCD_BENCH:-}${LCD_BLESS:-}" ] || steps=(browser)
wants() { [[ " ${steps[*]} " == *" $1 "* ]]; }

say "what is needed"
command -v node >/dev/null || missing "node is not here: install Node.js 20.19 or newer"
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    missing "Node.js 20.19 or newer is needed, and this is $(node --version)"
echo "node $(node --version)"

# What is installed has to be what the lockfile says, but for packages of other machines.
node -e '
  const { existsSync, readFileSync } = require("node:fs");
  // Packages within packages would be there twice, also in what is built.
  if (existsSync("node_modules/node_modules")) process.exit(1);
  const packages = (path) => JSON.parse(readFileSync(path)).packages;
  const wanted = packages("package-lock.json"), found = packages("node_modules/.package-lock.json");
  for (const [path, { version, optional }] of Object.entries(wanted))
    if (path && found[path]?.version !== version && !(optional && !found[path])) process.exit(1);
' 2>/dev/null || {
    [ ! -L node_modules ] || missing "node_modules is a link to packages that package-lock.json does not want"
    cache="${LCD_NPM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lcd/npm}"
    npm ci --cache "$cache" --prefer-offline --no-audit --no-fund ||
        missing "npm ci failed: its packages have to come from a registry or from $cache"
}

browser() {
    if [ -z "${CHROMIUM:-}" ]; then
        for name in chromium chromium-browser google-chrome google-chrome-stable; do
            CHROMIUM=$(command -v $name) && break
        done
    fi
    if [ -z "${CHROMIUM:-}" ] && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
            apt-get install -qy --no-install-recommends chromium fonts-dejavu-core; } >/dev/null ||
            missing "apt-get could not install chromium"
        CHROMIUM=$(command -v chromium)
    fi
    [ -x "${CHROMIUM:-}" ] ||
        missing "no browser: install Debian's chromium, or name one with CHROMIUM=PATH"
    export CHROMIUM
    "$CHROMIUM" --version 2>/dev/null
}

command_to_test() {
    if [ -z "${LCD:-}" ]; then
        command -v cargo >/dev/null || missing "cargo is not here: see https://rustup.rs, or name a built lcd with LCD=PATH"
        cargo build --locked -p lcd-command
        LCD=$(cargo metadata --locked --no-deps --format-version 1 |
            node -e 'let s = ""; process.stdin.on("data", (d) => s += d).on("end", () => console.log(JSON.parse(s).target_directory))')/debug/lcd
    fi
    [ -x "$LCD" ] || missing "LCD=$LCD is no program"
    LCD=$(cd "$(dirname "$LCD")" && pwd)/$(basename "$LCD")
    export LCD
    echo "command: $LCD"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What the command has in it: the simulator and all that belongs beside the page.
if wants units || wants browser; then
    command_to_test
    if [ -z "${LCD_SITE:-}" ]; then
        "$LCD" site "$work/site" >/dev/null
        export LCD_SITE="$work/site"
        export LCD_SIM_WASM="$LCD_SITE/lcd/sim.wasm"
    fi
fi
if wants browser; then browser; fi

if wants types; then
    say "types"
    npx svelte-check --tsconfig ./tsconfig.json --fail-on-warnings
fi

if wants build; then
    say "dist/ is what the sources make"
    npx vite build --outDir "$work/dist" --emptyOutDir --logLevel warn
    if ! diff -rq dist "$work/dist"; then
        echo "web-ui/dist is not what its sources make. Run \`npm run build\` in web-ui, and commit dist." >&2
        exit 1
    fi
    echo "it is"
fi

if wants units; then
    say "units"
    npx vitest run "${filter[@]}"
fi

if wants browser; then
    say "in the browser"
    rm -rf test-results
    npx vitest run --config tests/browser/vitest.config.ts "${filter[@]}"
fi

say "passed"
