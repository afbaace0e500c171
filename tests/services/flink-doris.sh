#!/usr/bin/env bash
# The real flink-doris-connector in Flink's SQL client: what the stand-in for Doris must be believed by.
# usage: flink-doris.sh install       Flink 1.17.2 as benches/flink/run-flink.sh installs it, and the connector from Maven Central
#        flink-doris.sh info          prints NAME=value lines
#        flink-doris.sh run FOLDER    runs FOLDER/job.sql in one JVM (job manager, task manager and client), in the foreground;
#                                     FOLDER/conf/flink-conf.yaml is its configuration, FOLDER/flink.log its log
# There is no build of the connector for Flink 1.17 in this version; the one for 1.18 runs on 1.17.2.
#   DORIS_CONNECTOR_VERSION (default 25.1.0)
#   MILLRACE_SERVICES cache root, default ${XDG_CACHE_HOME:-$HOME/.cache}/millrace-services
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ROOT_DIR="${MILLRACE_SERVICES:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace-services}"
FLINK_HOME="$ROOT_DIR/flink/1.17.2"
VERSION="${DORIS_CONNECTOR_VERSION:-25.1.0}"
FOLDER="$ROOT_DIR/flink-doris"
JAR="$FOLDER/flink-doris-connector-1.18-$VERSION.jar"
say() { printf 'flink-doris: %s\n' "$*" >&2; }

install() {
  FLINK_VERSION=1.17.2 "$HERE/../../benches/flink/run-flink.sh" install 1.17.2 >&2
  [ -s "$JAR" ] && return 0
  mkdir -p "$FOLDER"; exec 9>"$FOLDER/.lock"; flock 9
  [ -s "$JAR" ] && return 0
  say "fetching $(basename "$JAR")"
  mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
    -Dartifact="org.apache.doris:flink-doris-connector-1.18:$VERSION" -DoutputDirectory="$FOLDER/new" >"$FOLDER/mvn.log" 2>&1 ||
    { tail -n 20 "$FOLDER/mvn.log" >&2; exit 1; }
  mv "$FOLDER/new/$(basename "$JAR")" "$JAR"
  exec 9>&-
}

run() {
  local folder="$1" opens=() package
  for package in java.lang java.net java.io java.nio java.lang.reflect java.text java.time java.util java.util.concurrent java.util.concurrent.atomic java.util.concurrent.locks; do
    opens+=("--add-opens=java.base/$package=ALL-UNNAMED")
  done
  opens+=(--add-opens=java.base/sun.nio.ch=ALL-UNNAMED --add-exports=java.base/sun.net.util=ALL-UNNAMED)
  cat >"$folder/conf/log4j-cli.properties" <<'EOF'
rootLogger.level = INFO
rootLogger.appenderRef.f.ref = F
appender.f.name = F
appender.f.type = FILE
appender.f.fileName = ${sys:log.file}
appender.f.layout.type = PatternLayout
appender.f.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1} %m%n
EOF
  export FLINK_CONF_DIR="$folder/conf"
  # `exec`, so that whoever kills this process kills the JVM.
  exec java -Xmx1g -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "${opens[@]}" -Dlog.file="$folder/flink.log" \
    -Dlog4j.configurationFile="$folder/conf/log4j-cli.properties" -Djava.io.tmpdir="$folder/tmp" \
    -cp "$FLINK_HOME/lib/*:$FLINK_HOME/opt/*:$JAR" \
    org.apache.flink.table.client.SqlClient embedded -hist "$folder/history" -f "$folder/job.sql"
}

case "${1:-}" in
  install) install;;
  info) printf 'FLINK_HOME=%s\nDORIS_CONNECTOR=%s\n' "$FLINK_HOME" "$JAR";;
  run) [ $# -eq 2 ] || { say "usage: flink-doris.sh run FOLDER"; exit 1; }
       install; mkdir -p "$2/conf" "$2/tmp"; run "$2";;
  *) sed -n '2,11p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' >&2; exit 1;;
esac
