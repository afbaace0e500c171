#!/usr/bin/env bash
# One real Apache Kafka broker (KRaft, plain text, 127.0.0.1), its jars brought by Maven.
# usage: kafka.sh install|start|stop|kill|status|info
#        kafka.sh wipe                                     stops the broker and removes its data
#        kafka.sh topic NAME PARTITIONS [CONFIG=VALUE …]   makes a topic unless it is there
#        kafka.sh drop NAME…                               deletes topics
#        kafka.sh offsets NAME                             prints topic:partition:end-offset
#        kafka.sh tool CLASS ARGS…                         runs a class of the Kafka tools
#   KAFKA_PORT             clients' port (default 19092); another port is another broker
#   KAFKA_CONTROLLER_PORT  default KAFKA_PORT + 1
#   KAFKA_DATA             default data-PORT in the cache folder
#   KAFKA_HEAP             the broker's -Xmx (default 768m)
NAME=kafka
. "$(dirname "$0")/lib.sh"
PORT="${KAFKA_PORT:-19092}"
CONTROLLER="${KAFKA_CONTROLLER_PORT:-$((PORT + 1))}"
DATA="${KAFKA_DATA:-$HOME_DIR/data-$PORT}"
RUN="$HOME_DIR/run-$PORT"
PIDF="$RUN/pid" LOG="$RUN/log" CONF="$RUN/server.properties"
POM="$HERE/kafka-pom.xml"
# One folder for each content of the pom: an update never pulls jars from under a running broker.
JARS="$HOME_DIR/jars-$(cksum <"$POM" | cut -d' ' -f1)"
JAVA="${JAVA_HOME:+$JAVA_HOME/bin/}java"
STOP_SECONDS=40

svc_installed() { [ -d "$JARS" ]; }
svc_install() {
  need mvn "$JAVA"
  rm -rf "$JARS.part"
  mvn -B -q -f "$POM" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$JARS.part" >"$HOME_DIR/install.log" 2>&1 \
    || { last_lines "$HOME_DIR/install.log"; die "Maven could not bring the jars (log: $HOME_DIR/install.log)"; }
  mv "$JARS.part" "$JARS"
}
write_config() {
  mkdir -p "$RUN"
  cat >"$CONF" <<CONFIG
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$PORT,CONTROLLER://127.0.0.1:$CONTROLLER
advertised.listeners=PLAINTEXT://127.0.0.1:$PORT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$DATA
num.partitions=4
auto.create.topics.enable=true
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
# Room for the largest message that a test sends.
message.max.bytes=14000000
replica.fetch.max.bytes=14000000
# Test records carry any timestamp: nothing is dropped for its age.
log.retention.ms=-1
log.segment.delete.delay.ms=1000
log.cleaner.dedupe.buffer.size=16777216
log.cleaner.threads=1
num.network.threads=2
num.io.threads=4
CONFIG
  cat >"$RUN/log4j2.properties" <<'CONFIG'
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %m (%c{1})%n
rootLogger.level=${sys:kafka.log.level:-INFO}
rootLogger.appenderRef.out.ref=out
CONFIG
}
java_kafka() { # heap log-level class arguments…
  local heap="$1" level="$2"
  shift 2
  "$JAVA" -Xmx"$heap" -XX:+UseG1GC -Djava.awt.headless=true -Dkafka.log.level="$level" \
    -Dlog4j2.configurationFile="$RUN/log4j2.properties" -cp "$JARS/*" "$@"
}
svc_start() {
  need "$JAVA"
  want_port "$PORT" KAFKA_PORT
  want_port "$CONTROLLER" KAFKA_CONTROLLER_PORT
  write_config
  if [ ! -f "$DATA/meta.properties" ]; then
    mkdir -p "$DATA"
    # The cluster id is any 16 bytes in base64.
    java_kafka 256m WARN kafka.tools.StorageTool format -t bWlsbHJhY2UtdGVzdC0xeA -c "$CONF" \
      >"$RUN/format.log" 2>&1 || { last_lines "$RUN/format.log"; die "$DATA could not be formatted"; }
  fi
  spawn "$PIDF" "$LOG" "$JAVA" -Xmx"${KAFKA_HEAP:-768m}" -XX:+UseG1GC -Djava.awt.headless=true \
    -Dkafka.log.level=INFO -Dlog4j2.configurationFile="$RUN/log4j2.properties" -cp "$JARS/*" \
    kafka.Kafka "$CONF"
  wait_for 90 "Kafka" grep -q 'Kafka Server started' "$LOG"
}
svc_info() {
  echo "KAFKA_BOOTSTRAP=127.0.0.1:$PORT"
  echo "KAFKA_LOG=$LOG"
  echo "KAFKA_DATA=$DATA"
  echo "KAFKA_PIDFILE=$PIDF"
}
tool() {
  ensure_installed
  [ -f "$RUN/log4j2.properties" ] || write_config
  java_kafka 256m WARN "$@"
}
topics() { tool org.apache.kafka.tools.TopicCommand --bootstrap-server "127.0.0.1:$PORT" "$@"; }

case "${1:-}" in
  topic)
    name="$2" partitions="$3"
    shift 3
    settings=()
    for setting in "$@"; do settings+=(--config "$setting"); done
    topics --create --if-not-exists --topic "$name" --partitions "$partitions" \
      --replication-factor 1 ${settings[@]+"${settings[@]}"}
    ;;
  drop)
    shift
    for name in "$@"; do topics --delete --if-exists --topic "$name"; done
    ;;
  offsets) tool org.apache.kafka.tools.GetOffsetShell --bootstrap-server "127.0.0.1:$PORT" --topic "$2" ;;
  tool) shift; tool "$@" ;;
  wipe)
    svc_stop
    [ ! -f "$DATA/meta.properties" ] || rm -rf "$DATA"
    ;;
  *) svc_main "$@" ;;
esac
