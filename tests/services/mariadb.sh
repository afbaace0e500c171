#!/usr/bin/env bash
# A real MariaDB server (Debian's mariadb-server-core), unpacked into the cache and run from there.
# Binary log: ROW, full images, MariaDB's GTIDs.
# usage: mariadb.sh install|start|stop|kill|status|info
#        mariadb.sh client …   the client as root       mariadb.sh wipe   stops the server and removes its data
#   MARIADB_PORT       on 127.0.0.1 (default 13307); another port is another server
#   MARIADB_DATA       default data-PORT in the cache folder
#   MARIADB_TIME_ZONE  the server's zone, an offset or a name (default +00:00)
#   MARIADB_SERVER_ID  default the port
#   MARIADB_OPTS       more options of mariadbd
#   MARIADB_SUITE      the Debian suite that carries it (default bookworm: 10.11); each has a cache folder of its own
NAME="mariadb${MARIADB_SUITE:+-$MARIADB_SUITE}"
. "$(dirname "$0")/lib.sh"
. "$HERE/debian.sh"
. "$HERE/mysql-server.sh"
SUITE="${MARIADB_SUITE:-bookworm}"
PORT="${MARIADB_PORT:-13307}"
DATA="${MARIADB_DATA:-$HOME_DIR/data-$PORT}"
RUN="$HOME_DIR/run-$PORT"
PIDF="$RUN/pid" LOG="$RUN/log"
SOCKET="${TMPDIR:-/tmp}/millrace-$NAME-$(id -u)-$PORT.sock"
ROOT="$HOME_DIR/root"
CLIENT="$BIN/mariadb"
STOP_SECONDS=60

svc_installed() { [ -x "$BIN/mariadbd" ] && [ -x "$ROOT/usr/sbin/mariadbd" ] && [ -s "$HOME_DIR/version" ]; }
svc_install() {
  local apt="$HOME_DIR/apt" file program
  rm -rf "$ROOT" "$BIN" "$apt"
  mkdir -p "$BIN"
  debian_apt "$SUITE" "$apt"
  debian_fetch "$apt" mariadb-server-core mariadb-client-core
  # For mariadb-binlog, without what these two need to be installed.
  debian_fetch_alone "$apt" mariadb-server mariadb-client
  debian_unpack "$apt" "$ROOT"
  for file in "$ROOT"/usr/bin/*; do
    case "${file##*/}" in mariadb | mariadb-admin | mariadb-binlog | mariadb-dump | mariadb-tzinfo-to-sql) ;; *) rm -f "$file" ;; esac
  done
  for program in sbin/mariadbd bin/mariadb bin/mariadb-admin bin/mariadb-binlog bin/mariadb-dump bin/mariadb-tzinfo-to-sql; do
    [ ! -e "$ROOT/usr/$program" ] || debian_program "$ROOT" "$program" "$BIN/${program#*/}"
  done
  "$BIN/mariadbd" --no-defaults --version >"$HOME_DIR/version.part" 2>&1 \
    || die "the unpacked mariadbd does not run: $(cat "$HOME_DIR/version.part")"
  mv "$HOME_DIR/version.part" "$HOME_DIR/version"
  rm -rf "$apt"
}
folder_of() { dirname "$(find "$ROOT/usr/share" -path "$1" | head -1)"; }
write_config() {
  mkdir -p "$RUN"
  cat >"$RUN/my.cnf" <<CONF
[mysqld]
basedir=$ROOT/usr
datadir=$DATA
plugin_dir=$ROOT/usr/lib/mysql/plugin
character_sets_dir=$(folder_of '*/Index.xml')
lc_messages_dir=$(dirname "$(folder_of '*english/errmsg.sys')")
pid_file=$RUN/mariadbd.pid
socket=$SOCKET
bind_address=127.0.0.1
port=$PORT
skip_name_resolve=ON
local_infile=ON
character_set_server=utf8mb4
server_id=${MARIADB_SERVER_ID:-$PORT}
log_bin=binlog
binlog_format=ROW
binlog_row_image=FULL
gtid_strict_mode=ON
log_slave_updates=ON
# A killed process loses nothing, only a killed machine does: tests kill processes.
sync_binlog=0
innodb_flush_log_at_trx_commit=2
innodb_buffer_pool_size=128M
max_connections=200
CONF
  root_user_line >>"$RUN/my.cnf"
}
system_tables() { # the SQL that mariadb-install-db feeds to the server
  local name folder
  folder="$(folder_of '*/fill_help_tables.sql')"
  printf "%s;\n" "create database if not exists mysql" "use mysql" "SET @auth_root_socket=NULL"
  for name in system_tables performance_tables system_tables_data; do
    cat "$folder/mariadb_$name.sql" 2>/dev/null || cat "$folder/mysql_$name.sql"
  done
  cat "$folder/fill_help_tables.sql" "$folder/maria_add_gis_sp_bootstrap.sql"
  cat "$folder/mariadb_sys_schema.sql" 2>/dev/null || cat "$folder/mysql_sys_schema.sql"
}
svc_start() {
  want_port "$PORT" MARIADB_PORT
  write_config
  local log="$LOG"
  if first_start; then
    LOG="$log.init"
    mkdir -p "$DATA/mysql"
    system_tables | "$BIN/mariadbd" --defaults-file="$RUN/my.cnf" --skip-log-bin --bootstrap --skip-networking \
      --enforce-storage-engine= --max_allowed_packet=8M --net_buffer_length=16K >"$LOG" 2>&1 \
      || { last_lines "$LOG"; die "mariadbd --bootstrap failed (log: $LOG)"; }
    spawn "$PIDF" "$LOG" "$BIN/mariadbd" --defaults-file="$RUN/my.cnf" --skip-log-bin --skip-networking
    wait_for 60 "MariaDB (first start)" local_client -e 'select 1'
    load_zones "$BIN/mariadb-tzinfo-to-sql" /usr/share/zoneinfo
    local_client <<<"DROP DATABASE IF EXISTS test; $USERS_SQL"
    first_start_done
    LOG="$log"
  fi
  # shellcheck disable=SC2086
  spawn "$PIDF" "$LOG" "$BIN/mariadbd" --defaults-file="$RUN/my.cnf" \
    --default-time-zone="${MARIADB_TIME_ZONE:-+00:00}" ${MARIADB_OPTS:-}
  wait_for 90 "MariaDB" client -e 'select 1'
}
svc_info() { server_info; }
server_main "$@"
