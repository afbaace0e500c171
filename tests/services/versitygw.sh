#!/usr/bin/env bash
# An S3 server over a plain folder (versitygw, Apache-2.0), built from its Go module.
# It answers conditional requests (If-None-Match, If-Match) as S3 does.
# usage: versitygw.sh install|start|stop|kill|status|info|wipe
#   VERSITYGW_PORT                        on 127.0.0.1 (default 19001); another port is another server
#   VERSITYGW_DATA                        default data-PORT in the cache folder; needs user xattrs
#   VERSITYGW_USER, VERSITYGW_PASSWORD    default millrace, millrace-secret
#   VERSITYGW_BUCKET                      made at start (default millrace)
NAME=versitygw
. "$(dirname "$0")/lib.sh"
VERSION=v1.8.0
PORT="${VERSITYGW_PORT:-19001}"
DATA="${VERSITYGW_DATA:-$HOME_DIR/data-$PORT}"
S3_USER="${VERSITYGW_USER:-millrace}" S3_PASSWORD="${VERSITYGW_PASSWORD:-millrace-secret}"
BUCKET="${VERSITYGW_BUCKET:-millrace}"
URL="http://127.0.0.1:$PORT"
RUN="$HOME_DIR/run-$PORT"
PIDF="$RUN/pid" LOG="$RUN/log"

svc_installed() { [ -x "$BIN/versitygw" ] && installed_is "$VERSION"; }
svc_install() {
  go_install "github.com/versity/versitygw/cmd/versitygw@$VERSION"
  echo "$VERSION" >"$HOME_DIR/version"
}
s3() { # curl arguments… : prints the HTTP status
  curl -sS -m 5 -o "$RUN/answer" -w '%{http_code}' -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
    --aws-sigv4 aws:amz:us-east-1:s3 --user "$S3_USER:$S3_PASSWORD" "$@"
}
answers() { [ "$(s3 "$URL/")" = 200 ]; }
svc_start() {
  need curl
  want_port "$PORT" VERSITYGW_PORT
  mkdir -p "$DATA"
  ROOT_ACCESS_KEY_ID="$S3_USER" ROOT_SECRET_ACCESS_KEY="$S3_PASSWORD" \
    spawn "$PIDF" "$LOG" "$BIN/versitygw" --port "127.0.0.1:$PORT" --keep-alive --quiet posix "$DATA"
  wait_for 30 "versitygw" answers
  case "$(s3 -X PUT "$URL/$BUCKET")" in
    200 | 409) ;;
    *) die "could not make the bucket $BUCKET: $(cat "$RUN/answer")" ;;
  esac
}
svc_info() {
  echo "S3_ENDPOINT=$URL"
  echo "S3_ACCESS_KEY=$S3_USER"
  echo "S3_SECRET_KEY=$S3_PASSWORD"
  echo "S3_REGION=us-east-1"
  echo "S3_BUCKET=$BUCKET"
}
case "${1:-}" in
  wipe)
    svc_stop
    case "$DATA" in "$HOME_DIR"/data-*) rm -rf "$DATA" ;; *) die "not a folder of this script: $DATA" ;; esac
    ;;
  *) svc_main "$@" ;;
esac
