#!/usr/bin/env bash
# A real MySQL server (Debian sid's mysql-server-core), unpacked into the cache and run from there.
# Binary log: ROW, full images, GTIDs.
# usage: mysql.sh install|start|stop|kill|status|info
#        mysql.sh client …   the client as root       mysql.sh wipe   stops the server and removes its data
#   MYSQL_PORT       on 127.0.0.1 (default 13306); another port is another server
#   MYSQL_DATA       default data-PORT in the cache folder
#   MYSQL_TIME_ZONE  the server's zone, an offset or a name (default +00:00)
#   MYSQL_SERVER_ID  default the port
#   MYSQL_OPTS       more options of mysqld
#   MYSQL_SUITE      the Debian suite that carries it (default sid)
NAME=mysql
. "$(dirname "$0")/lib.sh"
. "$HERE/debian.sh"
. "$HERE/mysql-server.sh"
SUITE="${MYSQL_SUITE:-sid}"
PORT="${MYSQL_PORT:-13306}"
DATA="${MYSQL_DATA:-$HOME_DIR/data-$PORT}"
RUN="$HOME_DIR/run-$PORT"
PIDF="$RUN/pid" LOG="$RUN/log"
SOCKET="${TMPDIR:-/tmp}/millrace-mysql-$(id -u)-$PORT.sock"
ROOT="$HOME_DIR/root"
CLIENT="$BIN/mysql"
STOP_SECONDS=60

svc_installed() { [ -x "$BIN/mysqld" ] && [ -x "$ROOT/usr/sbin/mysqld" ] && [ -s "$HOME_DIR/version" ]; }
svc_install() {
  local apt="$HOME_DIR/apt" file program
  rm -rf "$ROOT" "$BIN" "$apt"
  mkdir -p "$BIN"
  debian_apt "$SUITE" "$apt"
  debian_fetch "$apt" mysql-server-core mysql-client-core
  debian_unpack "$apt" "$ROOT"
  for file in "$ROOT"/usr/bin/*; do
    case "${file##*/}" in mysql | mysqladmin | mysqlbinlog | mysqldump | mysql_tzinfo_to_sql) ;; *) rm -f "$file" ;; esac
  done
  for program in sbin/mysqld bin/mysql bin/mysqladmin bin/mysqlbinlog bin/mysqldump bin/mysql_tzinfo_to_sql; do
    debian_program "$ROOT" "$program" "$BIN/${program#*/}"
  done
  "$BIN/mysqld" --no-defaults --version >"$HOME_DIR/version.part" 2>&1 \
    || die "the unpacked mysqld does not run: $(cat "$HOME_DIR/version.part")"
  mv "$HOME_DIR/version.part" "$HOME_DIR/version"
  rm -rf "$apt"
}
write_config() {
  mkdir -p "$RUN"
  cat >"$RUN/my.cnf" <<CONF
[mysqld]
basedir=$ROOT/usr
datadir=$DATA
plugin_dir=$ROOT/usr/lib/mysql/plugin
character_sets_dir=$ROOT/usr/share/mysql/charsets
lc_messages_dir=$ROOT/usr/share/mysql
pid_file=$RUN/mysqld.pid
socket=$SOCKET
bind_address=127.0.0.1
port=$PORT
mysqlx=OFF
skip_name_resolve=ON
local_infile=ON
server_id=${MYSQL_SERVER_ID:-$PORT}
log_bin=binlog
secure_file_priv=
binlog_row_image=FULL
gtid_mode=ON
enforce_gtid_consistency=ON
# A killed process loses nothing, only a killed machine does: tests kill processes.
sync_binlog=0
innodb_flush_log_at_trx_commit=2
innodb_buffer_pool_size=128M
innodb_redo_log_capacity=64M
performance_schema=OFF
max_connections=200
CONF
  root_user_line >>"$RUN/my.cnf"
}
svc_start() {
  want_port "$PORT" MYSQL_PORT
  # A server that was killed leaves them, and until its parent takes note its number looks like that of a running one.
  rm -f "$SOCKET" "$SOCKET.lock"
  write_config
  local log="$LOG"
  if first_start; then
    LOG="$log.init"
    "$BIN/mysqld" --defaults-file="$RUN/my.cnf" --skip-log-bin --initialize-insecure >"$LOG" 2>&1 \
      || { last_lines "$LOG"; die "mysqld --initialize-insecure failed (log: $LOG)"; }
    spawn "$PIDF" "$LOG" "$BIN/mysqld" --defaults-file="$RUN/my.cnf" --skip-log-bin --gtid-mode=OFF \
      --enforce-gtid-consistency=OFF --skip-networking
    wait_for 60 "MySQL (first start)" local_client -e 'select 1'
    load_zones "$BIN/mysql_tzinfo_to_sql" /usr/share/zoneinfo
    local_client <<<"$USERS_SQL"
    first_start_done
    LOG="$log"
  fi
  # shellcheck disable=SC2086
  spawn "$PIDF" "$LOG" "$BIN/mysqld" --defaults-file="$RUN/my.cnf" \
    --default-time-zone="${MYSQL_TIME_ZONE:-+00:00}" ${MYSQL_OPTS:-}
  wait_for 90 "MySQL" client -e 'select 1'
}
svc_info() { server_info; }
server_main "$@"
