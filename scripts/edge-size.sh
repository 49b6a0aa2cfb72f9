#!/usr/bin/env bash
# Compiles the edge core as a microcontroller would have it and prints the size of each object. Fails over the bounds:
# 24 KiB of code in all, 256 bytes of memory for each module beside its own. Usage: edge-size.sh [OUTPUT_DIR]
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$(mktemp -d)}
compiler=arm-none-eabi-g++
flags=(-std=c++20 -mcpu=cortex-m4 -mthumb -ffreestanding -Os -fno-exceptions -fno-rtti -fno-threadsafe-statics
  -ffunction-sections -Wall -Wextra -Werror -I "$here/include" -I "$here/src")
text_max=$((24 * 1024)) module_bytes_max=256

command -v "$compiler" > /dev/null || { echo "edge-size: $compiler is missing; run scripts/setup.sh" >&2; exit 1; }
mkdir -p "$out"
rm -f "$out"/*.o
while IFS= read -r -d '' source; do
  object=${source#"$here/src/edge/"}
  object=${object//\//_}
  "$compiler" "${flags[@]}" -c -o "$out/${object%.cc}.o" "$source"
done < <(find "$here/src/edge/core" "$here/src/edge/hal" -name '*.cc' ! -name '*_test.cc' -print0 | sort -z)

arm-none-eabi-size -t "$out"/*.o | awk '{ sub(".*/", "", $6); printf "%8s %6s %6s  %s\n", $1, $2, $3, $6 }' | tee "$out/report.txt"
read -r text data bss < <(arm-none-eabi-size -t "$out"/*.o | awk 'END { print $1, $2, $3 }')

# What one of eight modules takes: its slot, its place in the queue, its bits in the 36 sets.
cat > "$out/module_bytes.cc" << 'SOURCE'
#include "edge/core/core.h"
using namespace fusebox::edge;
extern const unsigned module_bytes;
const unsigned module_bytes = sizeof(Slot) + sizeof(std::uint16_t) + (3 + 1 + kEvents) * sizeof(std::uint32_t) / FUSE_MAX_MODULES;
SOURCE
"$compiler" "${flags[@]}" -S -o "$out/module_bytes.s" "$out/module_bytes.cc"
module_bytes=$(awk '$1 == "module_bytes:" { getline; print $2; exit }' "$out/module_bytes.s")

# What the core needs from outside must be what every freestanding toolchain has.
needed=$(arm-none-eabi-nm -u "$out"/*.o | awk '$1 == "U" { print $2 }' | sort -u)
defined=$(arm-none-eabi-nm --defined-only "$out"/*.o | awk 'NF == 3 { print $3 }' | sort -u)
foreign=$(comm -23 <(echo "$needed") <(echo "$defined") | grep -vE '^(__aeabi_.*|__popcountsi2|mem(cpy|set|cmp|chr|move)|str(cmp|len))$' || true)

echo "edge core on Cortex-M4: code $text of $text_max bytes, initialised data $data, zeroed data $bss; memory a module $module_bytes of $module_bytes_max bytes" |
  tee -a "$out/report.txt"
status=0
[ "$text" -le "$text_max" ] || { echo "edge-size: the code is over its bound" >&2; status=1; }
[ $((data + bss)) -eq 0 ] || { echo "edge-size: the core has variables of its own; it may only use what the caller gives" >&2; status=1; }
[ "$module_bytes" -le "$module_bytes_max" ] || { echo "edge-size: a module takes too much memory" >&2; status=1; }
[ -z "$foreign" ] || { echo "edge-size: the core needs more than a freestanding toolchain has: $foreign" >&2; status=1; }
exit $status
