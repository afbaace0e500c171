"""What the measurements share: the broker, processes and their CPU, data, tables. Only Python's standard library is used."""
import glob, json, os, platform, re, subprocess, sys, tempfile, time, urllib.request

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
KAFKA = ROOT + "/tests/services/kafka.sh"
CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
TARGET = os.environ.get("CARGO_TARGET_DIR") or CACHE + "/millrace/target"
FLINK_CACHE = (os.environ.get("MILLRACE_SERVICES") or CACHE + "/millrace-services") + "/flink"
TICK = os.sysconf("SC_CLK_TCK")
MILLRACE, RAWCOPY, TOPICS, LATENCY = [TARGET + "/release/" + name for name in ("millrace", "rawcopy", "topics", "latency")]
# A broker of its own: topics that tests left behind would be measured along.
os.environ.setdefault("KAFKA_PORT", "19592")

INPUTS = {"filebeat": ["ro_sea_tlog"], "moneyflow": ["ro_sea_tlog_split_moneyflow"], "ads": ["ad_adjust_callback", "ad_af_callback"],
          "passthrough": ["ro_sea_tlog"]}
OUTPUT = {"filebeat": "ro_sea_tlog_emr", "moneyflow": "dwd_moneyflow_log", "ads": "ods_mmp_log", "passthrough": "bench_passthrough"}


def note(*words):
    print(*words, file=sys.stderr, flush=True)


def call(*command, **kw):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)
    if done.returncode:
        raise RuntimeError("%s failed:\n%s%s" % (" ".join(command), done.stdout[-3000:], done.stderr[-3000:]))
    return done.stdout


def pairs(text):
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def cpu_of(pid):
    """CPU-seconds of a process so far; 0 without one."""
    if not pid:
        return 0.0
    fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def busy():
    """CPU-seconds of the whole machine so far, idle and waiting left out."""
    fields = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICK


def memory_mb(pid, key="VmHWM"):
    for line in open("/proc/%d/status" % pid):
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def build():
    note("building the release binaries")
    subprocess.run(["cargo", "build", "--release", "-p", "millrace", "-p", "millrace-benches"], check=True, cwd=ROOT,
                   env=dict(os.environ, CARGO_TARGET_DIR=TARGET))


class Broker:
    """One real broker, started when it does not run; it is left running, with its data."""

    def __init__(self):
        call(KAFKA, "start")
        info = pairs(call(KAFKA, "info"))
        self.boot = info["KAFKA_BOOTSTRAP"]
        try:
            self.pid = int(open(info["KAFKA_PIDFILE"]).read().split()[0])
        except (KeyError, OSError, ValueError):
            self.pid = None

    def fresh(self, names, partitions=4, *settings):
        call(TOPICS, self.boot, "fresh", names, str(partitions), *settings)

    def drop(self, names):
        call(TOPICS, self.boot, "drop", names)

    def rows(self, topics):
        """Ends of what is committed, summed up; 0 for a topic that is not there."""
        done = subprocess.run([TOPICS, self.boot, "offsets", ",".join(topics)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return sum(int(line.rsplit(":", 1)[1]) for line in done.stdout.splitlines())

    def fill(self, filebeat, moneyflow, ads):
        """Makes the data, seeded, unless it is there."""
        wanted = {"ro_sea_tlog": filebeat, "ro_sea_tlog_split_moneyflow": moneyflow, "ad_adjust_callback": ads, "ad_af_callback": ads}
        for topic, rows in wanted.items():
            if self.rows([topic]) != rows:
                self.drop(topic)
        note("filling the topics (kept when they are full)")
        call(HERE + "/flink/run-flink.sh", "data", str(filebeat), str(moneyflow), str(ads), env=dict(os.environ, KAFKA_SH=KAFKA))

    def bytes(self, topics):
        """Bytes of the records' values, as the generator counted them; None when it did not."""
        sizes = {}
        try:
            for line in open("%s/data-%s.jsonl" % (FLINK_CACHE, self.boot.rsplit(":", 1)[1])):
                made = json.loads(line)
                sizes[made["topic"]] = made["bytes"]
        except OSError:
            pass
        return sum(sizes[topic] for topic in topics) if all(topic in sizes for topic in topics) else None


class FirstRow:
    """Waits beside a run for the first committed row of an empty topic."""

    def __init__(self, broker, topic):
        self.process = subprocess.Popen([TOPICS, broker.boot, "first", topic], stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError("nobody waits for the first row of " + topic)

    def seconds_since(self, begun):
        """None when no row came."""
        try:
            said = self.process.communicate(timeout=30)[0].strip()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None
        return round(float(said) - begun, 2) if said else None


def measured(command, rows, broker, cwd, size=None, first=None):
    """Runs a process to its end; returns its figures."""
    return measured_together([command], rows, broker, cwd, size, first)


def measured_together(commands, rows, broker, cwd, size=None, first=None):
    """Runs processes side by side to their end; returns the figures of all of them: CPU and memory are sums."""
    before_broker, before_busy, begun = cpu_of(broker.pid), busy(), time.time()
    own, memory, logs, processes = 0.0, 0, [], []
    for number, command in enumerate(commands):
        logs.append(open(os.path.join(cwd, "log%d" % number), "w+"))
        processes.append(subprocess.Popen(command, cwd=cwd, stdout=logs[-1], stderr=subprocess.STDOUT,
                                          env=dict(os.environ, RUST_LOG="warn", RUST_BACKTRACE="0")))
    for process, log, command in zip(processes, logs, commands):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        with log:
            if process.returncode:
                log.seek(0)
                for other in processes:
                    if other.returncode is None:
                        other.kill()
                raise RuntimeError("%s failed (%d):\n%s" % (" ".join(command)[:200], process.returncode, log.read()[-3000:]))
        own, memory = own + usage.ru_utime + usage.ru_stime, memory + usage.ru_maxrss
    wall = time.time() - begun
    of_broker = cpu_of(broker.pid) - before_broker
    others = (busy() - before_busy - own - of_broker) / wall
    return {
        "ok": True, "rows": rows, "seconds": round(wall, 2), "rows_per_s": round(rows / wall),
        "mb_per_s": size and round(size / 1e6 / wall, 1), "cpu_per_mrows": round(own / rows * 1e6, 3),
        "broker_per_mrows": round(of_broker / rows * 1e6, 3), "rss_mb": round(memory / 1024), "others": round(others, 2),
        "first_s": first and first.seconds_since(begun),
    }


def sql_of(pipeline, sink, broker):
    text = open("%s/flink/sql/%s.%s.sql" % (HERE, pipeline, sink), encoding="utf-8").read()
    return text.replace("127.0.0.1:19092", broker.boot)


def settings(name, folder, *more):
    """The settings of a run of millrace; each run has a name of its own, so that none resumes another."""
    return ["-D", "table.local-time-zone=Asia/Shanghai", "-D", "pipeline.name=bench-%s-%d" % (name, time.time_ns()),
            "-D", "state.checkpoints.dir=file://%s/checkpoints" % folder] + [word for one in more for word in ("-D", one)]


def millrace(name, sql, rows, broker, more=(), size=None, first_of=None):
    """Runs a file of SQL to the end of its input."""
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/job.sql", "w", encoding="utf-8") as f:
            f.write(sql)
        first = FirstRow(broker, first_of) if first_of else None
        try:
            return measured([MILLRACE, "run", "job.sql", *settings(name, folder, *more)], rows, broker, folder, size, first)
        finally:
            if first and first.process.poll() is None:
                first.process.kill()


def rawcopy(source, sinks, rows, broker, size=None, partitions=()):
    with tempfile.TemporaryDirectory() as folder:
        return measured([RAWCOPY, broker.boot, source, sinks, "zstd", *map(str, partitions)], rows, broker, folder, size)


def copied(source, sinks, partitions, copies, broker):
    """Makes topics with the rows of another one; a copy that fails is made anew, as nothing is measured here."""
    rows = broker.rows([source])
    for attempt in range(3):
        try:
            broker.fresh(sinks, partitions)
            for _ in range(copies):
                rawcopy(source, sinks, rows, broker, partitions=[partitions])
            # A commit returns before its markers have reached all partitions; a bounded reader would end before them.
            for _ in range(120):
                if broker.rows(sinks.split(",")) >= rows * copies:
                    return
                time.sleep(0.5)
            raise RuntimeError("the copy did not become visible")
        except RuntimeError as error:
            note("copying %s failed: %s" % (source, str(error)[:2000]))
    raise RuntimeError("%s could not be copied" % source)


class StandIn:
    """`millrace dev doris` in a process of its own, with an empty table."""
    fe = "127.0.0.1:18930"

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [MILLRACE, "dev", "doris", "--http-port", "18930", "--be-port", "18940", "--mysql-port", "18950",
             "--data-dir", self.folder.name, "--init", ROOT + "/sql-examples/dwd_moneyflow/doris.sql"],
            stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if "no Doris" in line:
                return self
        raise RuntimeError("the stand-in for Doris did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def cpu(self):
        return cpu_of(self.process.pid)

    def check(self, rows):
        text = urllib.request.urlopen("http://%s/_standin/transactions" % self.fe).read().decode()
        loads = [json.loads(line) for line in text.splitlines()]
        there = sum(load["rows"] for load in loads if load["state"] == "VISIBLE")
        if there != rows:
            raise RuntimeError("%d of %d rows are in the table" % (there, rows))


def machine():
    """The machine in one line."""
    processor = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal")) / 2**20
    return "%s (%s), %d cores, %.0f GiB" % (platform.machine(), processor, os.cpu_count(), memory)


def kafka_version():
    found = glob.glob((os.environ.get("MILLRACE_SERVICES") or CACHE + "/millrace-services") + "/kafka/jars-*/kafka-clients-*.jar")
    return re.search(r"clients-([\d.]+)\.jar", found[0])[1] if found else "?"


def grouped(number):
    return format(round(number), ",")


def markdown(names, rows):
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])
