# What the scripts of MySQL and MariaDB servers share. Sourced behind lib.sh, never run.
# They set PORT, DATA, RUN, PIDF, LOG and CLIENT, a client that needs only options behind it.

# users: root without password; cdc/cdc may read and replicate; app/app may do everything
USERS_SQL="
CREATE USER IF NOT EXISTS 'root'@'%'; GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
CREATE USER 'cdc'@'%' IDENTIFIED BY 'cdc';
GRANT SELECT, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'cdc'@'%';
CREATE USER 'app'@'%' IDENTIFIED BY 'app'; GRANT ALL ON *.* TO 'app'@'%';"

client() { "$CLIENT" --no-defaults -h127.0.0.1 -P"$PORT" -uroot "$@"; }
local_client() { "$CLIENT" --no-defaults --socket="$SOCKET" -uroot "$@"; }
root_user_line() { [ "$(id -u)" != 0 ] || echo user=root; }

# first_start: true when the data folder is to be filled; it is then empty
first_start() {
  [ ! -f "$DATA/.ready" ] || return 1
  if [ -n "$(ls -A "$DATA" 2>/dev/null)" ]; then
    [ -f "$RUN/initializing" ] || die "$DATA holds files that this script did not put there"
    say "the first start was cut off last time; beginning again"
    rm -rf "$DATA"
  fi
  mkdir -p "$DATA" "$RUN"
  touch "$RUN/initializing"
}
first_start_done() {
  reap "$PIDF" 60
  touch "$DATA/.ready"
  rm -f "$RUN/initializing"
}
load_zones() { # command… : the zone tables from SQL that the command prints
  if [ -d /usr/share/zoneinfo ]; then
    "$@" 2>/dev/null | local_client mysql || die "could not load the time zone tables"
  else
    say "no /usr/share/zoneinfo on this machine (Debian: tzdata): named time zones will not work"
  fi
}
server_info() {
  echo "MYSQL_HOST=127.0.0.1"
  echo "MYSQL_PORT=$PORT"
  echo "MYSQL_CDC_USER=cdc"
  echo "MYSQL_CDC_PASSWORD=cdc"
}
server_main() {
  case "${1:-}" in
    client)
      shift
      client "$@"
      ;;
    wipe)
      svc_stop
      case "$DATA" in "$HOME_DIR"/data-*) rm -rf "$DATA" ;; *) die "not a folder of this script: $DATA" ;; esac
      ;;
    *) svc_main "$@" ;;
  esac
}
