#!/usr/bin/env bash
# Apache Flink as the peer of a benchmark: the pipelines of sql/ on a real Kafka broker, one JSON line a run.
# usage: run-flink.sh install [VERSION]
#        run-flink.sh data [FILEBEAT_ROWS] [MONEYFLOW_ROWS] [ADS_ROWS]   fills the input topics (kept when already full)
#        run-flink.sh run PIPELINE SINK PARALLELISM                      prints one JSON line on stdout
#        run-flink.sh list                                               the pipelines and sinks there are
#   PIPELINE filebeat|moneyflow|ads, SINK kafka (exactly-once, zstd)|blackhole|doris (moneyflow only);
#            or the path of any SQL file with one INSERT, with '-' as SINK
#   FLINK_VERSION (default 1.17.2; 1.20.3 and 2.3.0 are known too)
#   FLINK_PORT    (default 18081, the REST port; the other ports are FLINK_PORT_BASE, default 19120, and the next three)
#   FLINK_TM_MB, FLINK_JM_MB  memory of the task manager (default 2048 a slot) and of the job manager (default 2048)
#   FLINK_CONF    further lines of configuration, `key: value`, one a line
#   FLINK_JAVA_OPTS           further options of both JVMs
#   FLINK_EXTRA_JARS          further jars on the class path, such as the Doris connector for the sink doris
#   FLINK_KEEP=1  leaves the run's folder (logs, checkpoints); it is named in the JSON line
#   KAFKA_SH      (default tests/services/kafka.sh of this repository) must have its broker running (KAFKA_PORT)
#   MILLRACE_SERVICES cache root, default ${XDG_CACHE_HOME:-$HOME/.cache}/millrace-services
# A run starts a job manager and a task manager of its own, submits the SQL with Flink's SQL client, and ends when
# the bounded sources are read to the end and the job has committed. Checkpoints: exactly-once, every 25 s, local disk.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export FLINK_VERSION="${FLINK_VERSION:-1.17.2}"
export KAFKA_SH="${KAFKA_SH:-$HERE/../../tests/services/kafka.sh}"
ROOT_DIR="${MILLRACE_SERVICES:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace-services}"
export FLINK_CACHE="$ROOT_DIR/flink"
say() { printf 'flink: %s\n' "$*" >&2; }
die() { say "ERROR: $*"; exit 1; }

connector() { # the newest Kafka connector made for a Flink version
  case "$1" in
    1.17.*) echo 3.1.0-1.17;; 1.20.*) echo 3.4.0-1.20;; 2.*) echo 5.0.0-2.2;;
    *) [ -n "${FLINK_CONNECTOR:-}" ] || die "name the Kafka connector of Flink $1 in FLINK_CONNECTOR"; echo "$FLINK_CONNECTOR";;
  esac
}
install() {
  local v="$1" home="$FLINK_CACHE/$1" stamp t0 new
  stamp="$v ${FLINK_CONNECTOR:-$(connector "$v")} $(cksum <"$HERE/flink-pom.xml")"
  [ "$(cat "$home/version" 2>/dev/null)" = "$stamp" ] && return 0
  for c in python3 mvn java; do command -v "$c" >/dev/null || die "needs the command '$c'"; done
  mkdir -p "$FLINK_CACHE"; exec 9>"$FLINK_CACHE/.install.lock"; flock 9
  t0=$(date +%s); new="$home.new"; rm -rf "$new"; mkdir -p "$new/dl" "$new/lib"
  python3 -m pip download -q --no-deps -d "$new/dl" "apache-flink-libraries==$v" >"$new/pip.log" 2>&1 || { cat "$new/pip.log" >&2; die "pip could not download apache-flink-libraries $v"; }
  python3 - "$new" <<'PY'
import glob, os, re, sys, tarfile, zipfile
new = sys.argv[1]
archive = glob.glob(new + "/dl/apache*flink*libraries*")[0]
want = re.compile(r"(?:^|/)(?:deps|pyflink)/(lib|opt|bin)/([^/]+\.jar)$")
def put(name, src):
    m = want.search(name)
    if m:
        os.makedirs(f"{new}/{m[1]}", exist_ok=True)
        with open(f"{new}/{m[1]}/{m[2]}", "wb") as out:
            while chunk := src.read(1 << 20):
                out.write(chunk)
if archive.endswith(".whl"):
    with zipfile.ZipFile(archive) as z:
        for n in z.namelist():
            if want.search(n):
                with z.open(n) as f: put(n, f)
else:
    with tarfile.open(archive) as t:
        for m in t:
            if m.isfile() and want.search(m.name): put(m.name, t.extractfile(m))
os.remove(archive)
PY
  nice -n "${SERVICES_NICE:-10}" mvn -B -q -f "$HERE/flink-pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -Dflink.version="$v" -Dconnector.version="${FLINK_CONNECTOR:-$(connector "$v")}" \
    -DexcludeArtifactIds=slf4j-api,guava,failureaccess,listenablefuture,jsr305,checker-qual,error_prone_annotations,j2objc-annotations \
    -DoutputDirectory="$new/extra" >"$new/mvn.log" 2>&1 || { tail -n 20 "$new/mvn.log" >&2; die "Maven could not copy the connector's jars"; }
  mv "$new"/extra/flink-sql-gateway* "$new/opt/"; mv "$new"/extra/*.jar "$new/lib/"; rmdir "$new/extra" "$new/dl"
  echo "$stamp" >"$new/version"; rm -rf "$home"; mv "$new" "$home"; exec 9>&-
  say "installed Flink $v in $(( $(date +%s) - t0 )) s, $(du -sh "$home" | cut -f1) in $home"
}
data() {
  local boot out; boot="$("$KAFKA_SH" info | sed -n 's/^KAFKA_BOOTSTRAP=//p')"
  mkdir -p "$FLINK_CACHE"
  fill() {
    out="$("$KAFKA_SH" tool "$HERE/Gen.java" "$boot" "$@")" || exit 1
    case "$out" in *'"kept"'*) ;; *) echo "$out" >>"$FLINK_CACHE/data-${boot##*:}.jsonl";; esac
    echo "$out"
  }
  fill filebeat ro_sea_tlog "${1:-3000000}"
  fill moneyflow ro_sea_tlog_split_moneyflow "${2:-2000000}"
  fill adjust ad_adjust_callback "${3:-1000000}"
  fill appsflyer ad_af_callback "${3:-1000000}"
}
case "${1:-}" in
  install) install "${2:-$FLINK_VERSION}";;
  data) shift; data "$@";;
  list) ls "$HERE/sql" | sed 's/\.sql$//; s/\./ /';;
  run) [ $# -eq 4 ] || die "usage: run-flink.sh run PIPELINE SINK PARALLELISM"
       install "$FLINK_VERSION"; shift; exec python3 "$HERE/flink_run.py" "$@";;
  *) sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"; [ "${1:-}" = --help ] || exit 2;;
esac
