#!/usr/bin/env bash
# Toxiproxy, a TCP proxy that adds latency, cuts connections and limits bandwidth; built from its Go module.
# usage: toxiproxy.sh install|start|stop|kill|status|info
#        toxiproxy.sh cli ARGS…   such as: cli create -l 127.0.0.1:18000 -u 127.0.0.1:19092 kafka
#                                          cli toxic add -t latency -a latency=500 kafka
#   TOXIPROXY_PORT  HTTP API on 127.0.0.1 (default 18474)
NAME=toxiproxy
. "$(dirname "$0")/lib.sh"
VERSION=v2.12.0
PORT="${TOXIPROXY_PORT:-18474}"
PIDF="$HOME_DIR/run-$PORT/pid" LOG="$HOME_DIR/run-$PORT/log"

svc_installed() { [ -x "$BIN/server" ] && [ -x "$BIN/cli" ] && installed_is "$VERSION"; }
svc_install() {
  go_install "github.com/Shopify/toxiproxy/v2/cmd/server@$VERSION" "github.com/Shopify/toxiproxy/v2/cmd/cli@$VERSION"
  echo "$VERSION" >"$HOME_DIR/version"
}
svc_start() {
  need curl
  want_port "$PORT" TOXIPROXY_PORT
  spawn "$PIDF" "$LOG" "$BIN/server" -host 127.0.0.1 -port "$PORT"
  wait_for 15 "toxiproxy" http_ok "http://127.0.0.1:$PORT/version"
}
svc_info() { echo "TOXIPROXY_URL=http://127.0.0.1:$PORT"; }
case "${1:-}" in
  cli) ensure_installed; shift; exec "$BIN/cli" -h "http://127.0.0.1:$PORT" "$@" ;;
  *) svc_main "$@" ;;
esac
