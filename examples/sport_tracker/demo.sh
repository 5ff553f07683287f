#!/usr/bin/env bash
# Two devices record workouts offline, meet, and agree. Run it with ./dev demo [FILE…]; FILEs are
# your own TCX or GPX files, and the phone imports them too.
set -euo pipefail

program=${SPORT_TRACKER:?the path of the program sport_tracker; ./dev demo sets it}
data=$(cd "$(dirname "${BASH_SOURCE[0]}")/data" && pwd)
own_files=()
for file in "$@"; do own_files+=("$(realpath -- "$file")"); done

folder=$(mktemp -d)
server=
clean_up() {
  [[ -z $server ]] || kill "$server" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap clean_up EXIT
cd "$folder"

fail() { printf 'demo: %s\n' "$1" >&2; exit 1; }
tell() { printf '\n== %s\n' "$*"; }
# Shows a command as it would be typed, and runs it.
phone() { run phone "$@"; }
watch() { run watch "$@"; }
run() {
  local device=$1
  shift
  local shown=()
  for word in "$@"; do
    case $word in
      */*) shown+=("$(basename "$word")") ;;
      *' '* | *'!'* | *'#'*) shown+=("\"$word\"") ;;
      *) shown+=("$word") ;;
    esac
  done
  printf '%s$ sport_tracker %s\n' "$device" "${shown[*]}"
  "$program" --store "$folder/$device.store" "$@" | sed 's/^/    /'
}

# Starts `serve` on the phone's store, on a port that is free, and waits until it listens and has
# done the commands on its standard input.
serve() {
  printf 'phone$ sport_tracker serve 0\n'
  : >serve.out  # or that of the last time is read below
  { cat; echo digest; } | "$program" --store phone.store serve 0 >serve.out 2>serve.err &
  server=$!
  local tries
  for ((tries = 0; tries < 600; ++tries)); do
    (($(wc -l <serve.out) < 2)) || break
    kill -0 "$server" 2>/dev/null || { cat serve.err >&2; fail "the phone does not serve"; }
    sleep 0.05
  done
  port=$(sed -n 's/^listening on .*://p' serve.out)
  [[ -n $port ]] || fail "the phone does not listen"
  sed -n '1s/^/    /p' serve.out
}
stop_serving() {
  kill -TERM "$server"
  wait "$server" || fail "serve did not end well"
  server=
}
digest_of() { "$program" --store "$1.store" digest; }
changesets_of() { "$program" --store "$1.store" status | awk '$1 == "changesets" { print $2 }'; }

tell "Offline, the phone and the watch import different files, and one that both have."
phone import "$data/morning_run.tcx" "$data/pass_ride.gpx" "$data/evening_walk.gpx"
watch import "$data/morning_run.tcx" "$data/pool_swim.tcx" "$data/treadmill.tcx"
if ((${#own_files[@]} > 0)); then
  phone import "${own_files[@]}" || tell "What was refused left nothing behind."
fi

tell "They meet for the first time."
serve </dev/null
watch sync "127.0.0.1:$port"
stop_serving
watch profile
run_key=$("$program" --store phone.store workouts | awk '/Morning run/ { print $1; exit }')
walk_key=$("$program" --store phone.store workouts | awk '$3 == "walk" { print $1; exit }')

tell "Offline again, both edit the same profile and the same workout."
phone profile set name "Ana"
watch profile set name "Ana K."
phone profile badge add first-5k
watch profile badge add early-bird
phone workouts edit "$run_key" notes "Felt light."
watch workouts edit "$run_key" notes "Windy on the way back."
phone workouts tag "$run_key" add river
watch workouts edit "$run_key" effort 6

tell "The phone deletes a workout that the watch edits: the edit will bring it back."
phone workouts delete "$walk_key"
watch workouts edit "$walk_key" title "Walk with Maja"

tell "The phone writes a post, and is used while it serves: four hundred friends give kudos."
phone post add "Over the pass before breakfast! #ride"
post_key=$("$program" --store phone.store post | awk 'NR == 1 { print $1 }')
serve < <(for ((i = 0; i < 400; ++i)); do echo "profile kudos give"; done)

tell "They sync, and the watch is killed in the middle of it."
before=$(changesets_of watch)
mkfifo progress
printf 'watch$ sport_tracker --verbose sync 127.0.0.1:%s --pace 1000\n' "$port"
"$program" --store watch.store --verbose sync "127.0.0.1:$port" --pace 1000 \
  </dev/null >sync.out 2>progress &
victim=$!
received=
while read -r line; do
  printf '    %s\n' "$line"
  if [[ $line == *received* ]]; then
    received=yes
    kill -KILL "$victim"
    break
  fi
done <progress
[[ -n $received ]] || fail "the watch received nothing before its end"
status=0
wait "$victim" 2>/dev/null || status=$?
((status == 137)) || fail "the watch ended by itself, with exit code $status"
printf '    Killed.\n'
between=$(changesets_of watch)
all=$(changesets_of phone)
printf 'The watch knew %s changes before and knows %s now; the phone knows %s.\n' \
  "$before" "$between" "$all"
((between > before)) || fail "what the watch had received is lost"
((between < all)) || fail "the sync was over before the kill"

tell "The watch starts again and goes on where it was."
watch sync "127.0.0.1:$port"
stop_serving

tell "The phone takes the post down while the watch likes it: it stays down."
phone post delete "$post_key"
watch post like "$post_key"
watch post add "Twenty-four lengths. #swim"
watch streak set daily --days mon,wed,fri --minutes 25 --add-freezes 2
serve </dev/null
watch sync "127.0.0.1:$port"
watch post
watch workouts

tell "What both wrote differently is listed on both; one of them decides about the name."
watch conflicts
watch conflicts resolve user_profiles me display_name "Ana Kos"
watch sync "127.0.0.1:$port"
phone conflicts
phone profile

tell "Both are the same."
stop_serving
"$program" --store phone.store show --json >phone.json
"$program" --store watch.store show --json >watch.json
cmp phone.json watch.json || fail "the two devices show different states"
phone_digest=$(digest_of phone)
watch_digest=$(digest_of watch)
printf '\nphone\ndigest %s\nwatch\ndigest %s\n' "$phone_digest" "$watch_digest"
[[ $phone_digest == "$watch_digest" ]] || fail "the digests differ"
