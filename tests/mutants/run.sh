#!/usr/bin/env bash
# Planted bugs: shows that each patch beside this script, a fault put into the engine, is found.
#
# A patch says in its first lines which fault it is, where, and what finds it: `sim` is the
# simulator over 20 seeds, unoptimised, since most of the time goes into compiling; `sim N` is N
# seeds, optimised; else it is a test file. Whatever finds a mutant must pass on the engine as it
# is. Called by ./dev mutants; the exit code is 1 when one is not found.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$root/build/mutants
jobs=2
compiler=(${CXX:-clang++})
! command -v ccache >/dev/null || compiler=(ccache "${compiler[@]}")
libraries=(-llmdb -lxxhash -lsodium -lzstd -lpthread)
quick_seeds=20
longest=120  # seconds until a detector that does not end is taken for one that hangs

fail() { printf './dev mutants: %s\n' "$1" >&2; exit "${2:-1}"; }
field() { sed -n "s/^$2: //p;/^---/q" "$here/$1.patch" | head -1; }
# A detector as a file name.
slug() { printf '%s' "$1" | tr ' /' '__'; }

# build FOLDER DETECTOR: the detector over FOLDER/include, as FOLDER/detector.
build() {
  local source=$root/examples/prove/main.cpp level=-O1 objects=()
  case $2 in
    sim) level=-O0 ;;
    sim\ *) ;;
    *)
      source=$root/$2
      level=-O0
      objects=("$work/main.o")
      ;;
  esac
  "${compiler[@]}" -std=c++20 "$level" -I"$1/include" -I"$root" \
    -DJOINERY_SOURCE_DIR="\"$root\"" -DJOINERY_SANITIZED=0 -c "$source" -o "$1/detector.o" &&
    "${compiler[@]: -1}" "$1/detector.o" "${objects[@]}" "${libraries[@]}" -o "$1/detector"
}

# run FOLDER DETECTOR: what it said is in FOLDER/log; gives its exit code.
run() {
  local arguments=(-a) seconds=$longest
  case $2 in
    sim) arguments=("$quick_seeds" --first) ;;
    sim\ *)
      arguments=("${2#sim }" --first)
      seconds=$((5 * longest))
      ;;
  esac
  (cd "$1" && timeout -k 5 "$seconds" ./detector "${arguments[@]}") >"$1/log" 2>&1
}

# What found it, in the detector's words. $2: its exit code.
evidence() {
  (($2 != 124 && $2 != 137)) || { printf 'it does not end'; return; }
  # Of a test: the name that stands between the first two lines of dashes.
  awk '
    /^seed [0-9]+ fails/ { sub(/ fails at step [0-9]+, after [0-9]+ seeds and/, ","); print; exit }
    /^-+$/ && !name { getline; name = $0 }
    END { if (name) print "\"" name "\"" }
  ' "$1/log" | cut -c1-110 | grep . || printf 'it ends by signal %s' "$(($2 - 128))"
}

# One line of the table; the exit code says whether the mutant was found.
mutant() {
  local name=$1 folder=$work/$1 found_by start status=0
  found_by=$(field "$name" 'Found by')
  rm -rf "$folder"
  mkdir -p "$folder"
  cp -r "$root/include" "$folder/include"
  report() { printf '%-34s %-22s %7s  %s\n' "$name" "$found_by" "$1" "$2"; }
  # As in a folder of its own, whatever repository is above it.
  if ! GIT_CEILING_DIRECTORIES=$work git -C "$folder" apply "$here/$name.patch" \
    >"$folder/log" 2>&1; then
    report - 'THE PATCH DOES NOT APPLY: make it anew'
    return 1
  elif ! build "$folder" "$found_by" >"$folder/log" 2>&1; then
    report - "DOES NOT COMPILE: see $folder/log"
    return 1
  fi
  start=$EPOCHREALTIME
  run "$folder" "$found_by" || status=$?
  local took
  took=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", b - a }')
  if ((status == 0)); then
    report "$took" "NOT FOUND: $(field "$name" Fault)"
    return 1
  fi
  report "$took" "$(evidence "$folder" "$status")"
  rm -rf "$folder/include" "$folder/detector" "$folder/detector.o"
}

# The engine as it is: nothing may be found there.
baseline() {
  local folder
  folder=$work/baseline/$(slug "$1")
  mkdir -p "$folder"
  ln -sfn "$root/include" "$folder/include"
  build "$folder" "$1" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; return 1; }
  local report='%-34s %-22s %7s  %s\n' lacks
  if ! run "$folder" "$1"; then
    printf "$report" 'the engine as it is' "$1" - "FAILS: see $folder/log"
    return 1
  fi
  [[ $1 == sim\ * ]] || return 0
  # A simulation that finds nothing since nothing happens in it proves nothing.
  lacks=$(awk '/^by kind of step:/ { kinds = 1 } kinds && NF == 2 && $2 == 0 { print $1 }
    / (snapshots|new ids|forks) +0$/ { print }' "$folder/log" | xargs)
  [[ -n $lacks ]] || return 0
  printf "$report" 'the engine as it is' "$1" - "NEVER MEETS: $lacks"
  return 1
}

all_names() { find "$here" -name '*.patch' -printf '%f\n' | sed 's/\.patch$//' | sort; }

# Three that need neither an optimised build nor patience; another three at each commit.
share() {
  local names quick=() name first
  mapfile -t names < <(all_names)
  for name in "${names[@]}"; do
    [[ $(field "$name" 'Found by') == sim\ * || -n $(field "$name" Slow) ]] || quick+=("$name")
  done
  first=$((16#$(git -C "$root" rev-parse HEAD 2>/dev/null | cut -c1-8 || echo 0)))
  for i in 0 1 2; do echo "${quick[(first + i * ${#quick[@]} / 3) % ${#quick[@]}]}"; done
}

main() {
  local names name status=0
  if [[ ${1:-} == --share ]]; then
    mapfile -t names < <(share)
  elif (($# > 0)); then
    names=("$@")
    for name in "$@"; do
      [[ -e $here/$name.patch ]] || fail "there is no mutant $name; tests/mutants has them" 2
    done
  else
    mapfile -t names < <(all_names)
  fi
  mkdir -p "$work"
  local detectors
  mapfile -t detectors < <(for name in "${names[@]}"; do field "$name" 'Found by'; done | sort -u)
  if printf '%s\n' "${detectors[@]}" | grep -q '^tests/'; then
    "${compiler[@]}" -std=c++20 -O0 -c "$root/tests/main.cpp" -o "$work/main.o"
  fi
  export -f fail
  printf '%s\0' "${detectors[@]}" | xargs -0 -P "$jobs" -I{} "$0" --baseline {} ||
    fail 'what is to find the mutants finds something without them'
  printf '%-34s %-22s %7s  %s\n' mutant 'found by' after what
  printf '%s\0' "${names[@]}" | xargs -0 -P "$jobs" -I{} "$0" --mutant {} || status=1
  ((status == 0)) && printf '%s mutants, all found\n' "${#names[@]}"
  return "$status"
}

case ${1:-} in
  --baseline) baseline "$2" ;;
  --mutant) mutant "$2" ;;
  *) main "$@" ;;
esac
