#!/usr/bin/env bash
# One real Apache Kafka broker (plain text, 127.0.0.1; KRaft, before 3.0 with a ZooKeeper of its own), its jars brought by Maven.
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
#   KAFKA_VERSION          default 4.3.1; tried: 2.8.2, 3.9.1, 4.3.1. Another version has data of its own
#   KAFKA_SECURE           1 = also listens with passwords (KAFKA_PORT + 2) and with TLS (KAFKA_PORT + 3);
#                          user alice, password alice-secret, for PLAIN and SCRAM; certificates in $RUN/tls
NAME=kafka
. "$(dirname "$0")/lib.sh"
PORT="${KAFKA_PORT:-19092}"
CONTROLLER="${KAFKA_CONTROLLER_PORT:-$((PORT + 1))}"
VERSION="${KAFKA_VERSION:-4.3.1}"
OTHER="${KAFKA_VERSION:+-$KAFKA_VERSION}"
DATA="${KAFKA_DATA:-$HOME_DIR/data-$PORT$OTHER}"
RUN="$HOME_DIR/run-$PORT$OTHER"
PIDF="$RUN/pid" LOG="$RUN/log" CONF="$RUN/server.properties"
TOPICS=org.apache.kafka.tools.TopicCommand OFFSETS=org.apache.kafka.tools.GetOffsetShell BROKERS=--bootstrap-server
case "$VERSION" in
  2.*)
    POM="$HERE/kafka-old-pom.xml" CLUSTER=zookeeper
    TOPICS=kafka.admin.TopicCommand OFFSETS=kafka.tools.GetOffsetShell BROKERS=--broker-list
    ;;
  3.*) POM="$HERE/kafka-old-pom.xml" CLUSTER=kraft ;;
  *) POM="$HERE/kafka-pom.xml" CLUSTER=kraft ;;
esac
# One folder for each content of the pom: an update never pulls jars from under a running broker.
JARS="$HOME_DIR/jars-$(cksum <"$POM" | cut -d' ' -f1)$OTHER"
ZOOKEEPER_PIDF="$RUN/zookeeper.pid"
JAVA="${JAVA_HOME:+$JAVA_HOME/bin/}java"
SASL_PORT=$((PORT + 2)) TLS_PORT=$((PORT + 3)) TLS="$RUN/tls"
STOP_SECONDS=40

svc_installed() { [ -d "$JARS" ]; }
svc_install() {
  need mvn "$JAVA"
  rm -rf "$JARS.part"
  mvn -B -q -f "$POM" "-Dkafka.version=$VERSION" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$JARS.part" >"$HOME_DIR/install.log" 2>&1 \
    || { last_lines "$HOME_DIR/install.log"; die "Maven could not bring the jars (log: $HOME_DIR/install.log)"; }
  mv "$JARS.part" "$JARS"
}
# A broker's certificate for 127.0.0.1 that vouches for itself, and a client's that the broker trusts.
make_certificates() {
  need keytool openssl
  [ ! -f "$TLS/ca.pem" ] || return 0
  rm -rf "$TLS" && mkdir -p "$TLS"
  local name
  for name in broker client; do
    keytool -genkeypair -alias "$name" -keyalg RSA -validity 3650 -dname "CN=$name" \
      -ext san=ip:127.0.0.1 -storetype PKCS12 -keystore "$TLS/$name.p12" -storepass changeit >/dev/null 2>&1
    keytool -exportcert -rfc -alias "$name" -keystore "$TLS/$name.p12" -storepass changeit >"$TLS/$name.pem" 2>/dev/null
  done
  openssl pkcs12 -in "$TLS/client.p12" -passin pass:changeit -nodes -out "$TLS/client-keys.pem" 2>/dev/null
  keytool -importcert -noprompt -alias client -file "$TLS/client.pem" -storetype PKCS12 \
    -keystore "$TLS/trust.p12" -storepass changeit >/dev/null 2>&1
  cp "$TLS/broker.pem" "$TLS/ca.pem"
}
secure_config() {
  make_certificates
  local plain=org.apache.kafka.common.security.plain.PlainLoginModule
  local scram=org.apache.kafka.common.security.scram.ScramLoginModule
  cat >>"$CONF" <<CONFIG
listeners=PLAINTEXT://127.0.0.1:$PORT,CONTROLLER://127.0.0.1:$CONTROLLER,SASL_PLAINTEXT://127.0.0.1:$SASL_PORT,SSL://127.0.0.1:$TLS_PORT
advertised.listeners=PLAINTEXT://127.0.0.1:$PORT,SASL_PLAINTEXT://127.0.0.1:$SASL_PORT,SSL://127.0.0.1:$TLS_PORT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL
listener.name.sasl_plaintext.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_plaintext.plain.sasl.jaas.config=$plain required user_alice="alice-secret";
listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config=$scram required;
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=$scram required;
listener.name.ssl.ssl.keystore.location=$TLS/broker.p12
listener.name.ssl.ssl.keystore.password=changeit
listener.name.ssl.ssl.truststore.location=$TLS/trust.p12
listener.name.ssl.ssl.truststore.password=changeit
listener.name.ssl.ssl.client.auth=requested
CONFIG
}
# Passwords for SCRAM are kept in the data, so they are given once.
add_users() {
  [ "${KAFKA_SECURE:-0}" = 1 ] && [ ! "$RUN/users" -nt "$DATA/meta.properties" ] || return 0
  local mechanism
  for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
    tool kafka.admin.ConfigCommand --bootstrap-server "127.0.0.1:$PORT" --alter --entity-type users --entity-name alice \
      --add-config "$mechanism=[password=alice-secret]" >"$RUN/users.log" 2>&1 \
      || { last_lines "$RUN/users.log"; die "no users could be made"; }
  done
  touch "$RUN/users"
}
cluster_config() {
  if [ "$CLUSTER" = zookeeper ]; then
    cat <<CONFIG
broker.id=1
zookeeper.connect=127.0.0.1:$CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$PORT
advertised.listeners=PLAINTEXT://127.0.0.1:$PORT
CONFIG
  else
    cat <<CONFIG
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$PORT,CONTROLLER://127.0.0.1:$CONTROLLER
advertised.listeners=PLAINTEXT://127.0.0.1:$PORT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
CONFIG
  fi
}
write_config() {
  mkdir -p "$RUN"
  cluster_config >"$CONF"
  cat >>"$CONF" <<CONFIG
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
# Topics that ask for a retention lose old segments soon.
log.retention.check.interval.ms=30000
log.cleaner.dedupe.buffer.size=16777216
log.cleaner.threads=1
num.network.threads=2
num.io.threads=4
CONFIG
  [ "${KAFKA_SECURE:-0}" != 1 ] || secure_config
  cat >"$RUN/log4j.properties" <<'CONFIG'
log4j.rootLogger=${kafka.log.level}, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %p %m (%c{1})%n
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
    -Dlog4j2.configurationFile="$RUN/log4j2.properties" -Dlog4j.configuration="file:$RUN/log4j.properties" -cp "$JARS/*" "$@"
}
start_zookeeper() {
  [ "$CLUSTER" = zookeeper ] || return 0
  ! alive "$ZOOKEEPER_PIDF" || return 0
  mkdir -p "$DATA-zookeeper"
  cat >"$RUN/zookeeper.properties" <<CONFIG
dataDir=$DATA-zookeeper
clientPort=$CONTROLLER
clientPortAddress=127.0.0.1
admin.enableServer=false
CONFIG
  spawn "$ZOOKEEPER_PIDF" "$RUN/zookeeper.log" "$JAVA" -Xmx256m -Dkafka.log.level=WARN \
    -Dlog4j.configuration="file:$RUN/log4j.properties" -cp "$JARS/*" \
    org.apache.zookeeper.server.quorum.QuorumPeerMain "$RUN/zookeeper.properties"
  local tick
  for ((tick = 0; tick < 300; tick++)); do
    port_open "$CONTROLLER" && return 0
    sleep 0.1
  done
  last_lines "$RUN/zookeeper.log"
  die "ZooKeeper was not ready after 30 s"
}
svc_stop() {
  reap "$PIDF" "$STOP_SECONDS"
  reap "$ZOOKEEPER_PIDF" 20
}
svc_start() {
  need "$JAVA"
  # A broker that was killed counts as ended a moment before the system has closed its sockets.
  local tick
  for ((tick = 0; tick < 50; tick++)); do
    port_open "$PORT" || { [ "$CLUSTER" = kraft ] && port_open "$CONTROLLER"; } || break
    sleep 0.1
  done
  want_port "$PORT" KAFKA_PORT
  alive "$ZOOKEEPER_PIDF" || want_port "$CONTROLLER" KAFKA_CONTROLLER_PORT
  write_config
  start_zookeeper
  if [ "$CLUSTER" = kraft ] && [ ! -f "$DATA/meta.properties" ]; then
    mkdir -p "$DATA"
    # The cluster id is any 16 bytes in base64.
    java_kafka 256m WARN kafka.tools.StorageTool format -t bWlsbHJhY2UtdGVzdC0xeA -c "$CONF" \
      >"$RUN/format.log" 2>&1 || { last_lines "$RUN/format.log"; die "$DATA could not be formatted"; }
  fi
  spawn "$PIDF" "$LOG" "$JAVA" -Xmx"${KAFKA_HEAP:-768m}" -XX:+UseG1GC -Djava.awt.headless=true \
    -Dkafka.log.level=INFO -Dlog4j2.configurationFile="$RUN/log4j2.properties" \
    -Dlog4j.configuration="file:$RUN/log4j.properties" -cp "$JARS/*" kafka.Kafka "$CONF"
  wait_for 90 "Kafka" grep -Eq 'Kafka Server started|\[KafkaServer id=1\] started' "$LOG"
  add_users
}
svc_info() {
  echo "KAFKA_BOOTSTRAP=127.0.0.1:$PORT"
  echo "KAFKA_LOG=$LOG"
  echo "KAFKA_DATA=$DATA"
  echo "KAFKA_PIDFILE=$PIDF"
  if [ "${KAFKA_SECURE:-0}" = 1 ]; then
    echo "KAFKA_SASL=127.0.0.1:$SASL_PORT"
    echo "KAFKA_SSL=127.0.0.1:$TLS_PORT"
    echo "KAFKA_TLS=$TLS"
  fi
}
tool() {
  ensure_installed
  [ -f "$RUN/log4j2.properties" ] || write_config
  java_kafka 256m WARN "$@"
}
topics() { tool "$TOPICS" --bootstrap-server "127.0.0.1:$PORT" "$@"; }

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
  offsets) tool "$OFFSETS" "$BROKERS" "127.0.0.1:$PORT" --topic "$2" ;;
  tool) shift; tool "$@" ;;
  wipe)
    svc_stop
    [ ! -f "$DATA/meta.properties" ] || rm -rf "$DATA" "$DATA-zookeeper"
    ;;
  *) svc_main "$@" ;;
esac
