# What the service scripts share. Sourced, never run.
#
# A script sets NAME, sources this file, sets PIDF and LOG, defines
#   svc_installed   true when there is nothing left to install
#   svc_install     puts the program under $HOME_DIR (called under a lock)
#   svc_start       spawn … && wait_for …
#   svc_info        prints NAME=value lines
# and hands its arguments to svc_main, which knows install, start, stop, kill, status, info.
#
# MILLRACE_SERVICES names the folder everything goes into,
# by default ${XDG_CACHE_HOME:-$HOME/.cache}/millrace-services.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
HOME_DIR="${MILLRACE_SERVICES:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace-services}/$NAME"
BIN="$HOME_DIR/bin"

say() { printf '%s: %s\n' "$NAME" "$*" >&2; }
die() { printf '%s: ERROR: %s\n' "$NAME" "$*" >&2; exit 1; }
need() {
  local command
  for command in "$@"; do
    command -v "$command" >/dev/null || die "the command '$command' is not on PATH"
  done
}
last_lines() { [ ! -f "$1" ] || { echo "--- end of $1"; tail -n 25 "$1"; } >&2; }

# --- processes ---------------------------------------------------------------------------------
# A pid file holds the pid and the process's start time: a pid that the kernel gave to somebody
# else since then is never taken for ours.
start_time() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
alive() { # pidfile
  local pid started
  [ -s "$1" ] && read -r pid started <"$1" || return 1
  [ "$(start_time "$pid")" = "$started" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$pid/status"
}
spawn() { # pidfile logfile command…
  local pidfile="$1" log="$2"
  shift 2
  mkdir -p "$(dirname "$pidfile")" "$(dirname "$log")"
  # Descriptors 8 and 9 are locks of this script: the server must not keep them.
  setsid nohup "$@" >"$log" 2>&1 </dev/null 8>&- 9>&- &
  local pid=$!
  sleep 0.05
  printf '%s %s\n' "$pid" "$(start_time "$pid")" >"$pidfile"
}
signal() { kill -"$1" "$(cut -d' ' -f1 <"$2")" 2>/dev/null || true; } # signal pidfile
await_end() { # pidfile seconds
  local tick
  for ((tick = 0; tick < $2 * 10; tick++)); do
    alive "$1" || return 0
    sleep 0.1
  done
  return 1
}
reap() { # pidfile seconds-until-KILL
  if alive "$1"; then
    signal TERM "$1"
    if ! await_end "$1" "$2"; then
      say "did not end within $2 s of SIGTERM; killing it"
      signal KILL "$1"
      await_end "$1" 10 || die "could not be killed"
    fi
  fi
  rm -f "$1"
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
http_ok() { curl -fsS -m 2 -o /dev/null "$1"; }
want_port() { # port variable
  ! port_open "$1" || die "port $1 on 127.0.0.1 is taken by another program; choose one with $2"
}
wait_for() { # seconds what command… : until the command succeeds; fails when the server ends first
  local limit="$1" what="$2" begin=$SECONDS
  shift 2
  until "$@" >/dev/null 2>&1; do
    alive "$PIDF" || { last_lines "$LOG"; die "$what ended before it was ready (log: $LOG)"; }
    if ((SECONDS - begin > limit)); then
      last_lines "$LOG"
      reap "$PIDF" 5
      die "$what was not ready after $limit s (log: $LOG)"
    fi
    sleep 0.2
  done
}

# --- installing --------------------------------------------------------------------------------
installed_is() { [ "$(cat "$HOME_DIR/version" 2>/dev/null)" = "$1" ]; }
go_install() { # module/package@version…
  need go
  mkdir -p "$BIN"
  local package
  for package in "$@"; do
    say "building $package"
    GOBIN="$BIN" GOFLAGS="-buildvcs=false -trimpath" CGO_ENABLED=0 \
      go install -ldflags='-s -w' "$package" >"$HOME_DIR/build.log" 2>&1 \
      || { last_lines "$HOME_DIR/build.log"; die "go install $package failed (log: $HOME_DIR/build.log)"; }
  done
}
ensure_installed() {
  svc_installed && return 0
  mkdir -p "$HOME_DIR"
  exec 9>"$HOME_DIR/.install.lock"
  flock 9
  if ! svc_installed; then
    local begin=$SECONDS
    svc_install
    svc_installed || die "nothing is where it should be after the install ($HOME_DIR)"
    say "installed in $((SECONDS - begin)) s"
  fi
  exec 9>&-
}

# --- verbs -------------------------------------------------------------------------------------
svc_stop() { reap "$PIDF" "${STOP_SECONDS:-20}"; }
usage() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"; }
svc_main() {
  case "${1:-}" in
    install) ensure_installed ;;
    start)
      ensure_installed
      exec 8>"$HOME_DIR/.start.lock"
      flock 8
      if alive "$PIDF"; then
        say "already running"
      else
        trap svc_stop EXIT
        svc_start
        trap - EXIT
      fi
      exec 8>&-
      svc_info
      ;;
    stop) svc_stop ;;
    kill)
      if alive "$PIDF"; then signal KILL "$PIDF"; await_end "$PIDF" 10 || die "could not be killed"; fi
      rm -f "$PIDF"
      ;;
    status)
      alive "$PIDF" || { say "not running"; exit 3; }
      svc_info
      ;;
    info) svc_info ;;
    --help | -h) usage ;;
    *) usage >&2; exit 2 ;;
  esac
}
