#!/usr/bin/env python3
"""What recorded cases cannot show of mysql-cdc: lost connections in mid-transaction, and writers beside a snapshot.

  faults.py kills --server mysql|mariadb --port N --client CMD --product 'CMD {sql}'   the dump connection is killed twice a second
  faults.py load  … [--keys int|text]                                                   four writers while the snapshot runs
  faults.py readers …                                                                   connections of the snapshot's readers are killed
  faults.py few …                                                                       there are fewer connections than readers
  faults.py held …                                                                      nobody takes the changes until the server gives up
  faults.py retention …                                                                 the same, and the server is about to purge its log

`readers` and `few` compare the rows that came with the table. `held` and `retention` compare the exact order of changes after the product's output
was left unread: until the server ended the connection of the binary log, or until the warning came. `retention` sets the server's retention.
`kills` compares the exact order of changes; `load` checks that every change fits the rows before it (an insert only of a
key that is not there, a row before an update or delete just as it was) and that the last state is the table.
Creates the databases cdc_kills, cdc_load, cdc_readers and cdc_held. Exit 0 when nothing differed."""
import argparse, json, os, random, shlex, subprocess, sys, tempfile, threading, time

SESSION = "SET autocommit=1, completion_type=0, sql_mode='', sql_select_limit=18446744073709551615;\n"

def sql(a, text):
    return subprocess.run(a.client_cmd + ['-N', '-B'], input=SESSION + text, capture_output=True, text=True)

def table(a, database, key, more=''):
    return f"""CREATE TABLE t (id {key} NOT NULL, v STRING, n INT, PRIMARY KEY (id) NOT ENFORCED) WITH (
 'connector' = 'mysql-cdc', 'hostname' = '127.0.0.1', 'port' = '{a.port}', 'username' = 'cdc', 'password' = 'cdc',
 'database-name' = '{database}', 'table-name' = 't_[0-9]+', 'server-time-zone' = '+00:00'{more});
SELECT * FROM t;
"""

class Product:
    def __init__(self, a, text, paused=False):
        self.file = tempfile.NamedTemporaryFile('w', suffix='.sql'); self.file.write(text); self.file.flush()
        cmd = [x.replace('{sql}', self.file.name) for x in shlex.split(a.product)]
        self.log = tempfile.NamedTemporaryFile('w+', suffix='.log'); self.got = []
        self.process = subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=self.log, text=True)
        if not paused: self.resume()
    def resume(self): threading.Thread(target=self.read, daemon=True).start()
    def said(self): return open(self.log.name).read()
    def read(self):
        for line in self.process.stdout: self.got.append(json.loads(line))
    def end(self):
        self.process.terminate(); self.process.wait(20)

def kills(a):
    sql(a, "DROP DATABASE IF EXISTS cdc_kills; CREATE DATABASE cdc_kills; CREATE TABLE cdc_kills.t_1 (id int primary key, v varchar(100), n int); INSERT INTO cdc_kills.t_1 VALUES (0,'z',0)")
    product = Product(a, table(a, 'cdc_kills', 'INT')); time.sleep(2)
    state = {'stop': False, 'kills': 0}
    def killer():
        while not state['stop']:
            for number in sql(a, "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%' AND user='cdc'").stdout.split():
                sql(a, 'KILL ' + number); state['kills'] += 1
            time.sleep(0.5)
    threading.Thread(target=killer, daemon=True).start()
    want, n = [('+I', 0)], 0
    for t in range(60):
        text = 'BEGIN;'
        for _ in range(40):
            ids = [n + 1 + i for i in range(5)]; n += 5
            text += 'INSERT INTO cdc_kills.t_1 VALUES ' + ','.join(f"({i},'{'x' * 80}',{t})" for i in ids) + f';UPDATE cdc_kills.t_1 SET n=-1 WHERE id={ids[0]};'
            want += [('+I', i) for i in ids] + [('-U', ids[0]), ('+U', ids[0])]
        sql(a, text + 'COMMIT')
    state['stop'] = True; begin = time.time()
    while len(product.got) < len(want) and time.time() - begin < 60: time.sleep(0.2)
    time.sleep(1); product.end()
    same = [(x['op'], x['row']['id']) for x in product.got] == want
    print(f"kills: {len(want)} changes, {state['kills']} kills, {'equal' if same else f'DIFFERENT ({len(product.got)} came)'}")
    return same and state['kills'] > 0

def readers(a, few=False):
    sql(a, "DROP DATABASE IF EXISTS cdc_readers; CREATE DATABASE cdc_readers")
    for t in (1, 2, 3):
        sql(a, f"CREATE TABLE cdc_readers.t_{t} (id int primary key, v varchar(100), n int)")
        for first in range(0, 30000 if t == 1 else 300, 3000):
            sql(a, f"INSERT INTO cdc_readers.t_{t} VALUES " + ','.join(f"({t * 1000000 + i * (1 if i < 9000 else 977)},'{'x' * 80}',{i})" for i in range(first, first + (3000 if t == 1 else 300))))
    want = [line.split('\t') for t in (1, 2, 3) for line in sql(a, f'SELECT id,v,n FROM cdc_readers.t_{t}').stdout.split('\n') if line]
    product = Product(a, table(a, 'cdc_readers', 'INT', ", 'scan.incremental.snapshot.chunk.size' = '20', 'millrace.snapshot-readers' = '4'").replace("'cdc', 'password' = 'cdc'", "'few', 'password' = 'few'" if few else "'cdc', 'password' = 'cdc'"))
    kills, begin = 0, time.time()
    while time.time() - begin < 60 and len(product.got) < len(want):
        # A connection that waits between two chunks may be hit as well; four kills cannot use up one chunk's five attempts.
        ids = sql(a, "SELECT id FROM information_schema.processlist WHERE command NOT LIKE 'Binlog Dump%' AND user='cdc' ORDER BY id").stdout.split()
        if few: time.sleep(0.2)
        elif len(ids) > 3 and kills < 4 and len(product.got) >= 1000 * kills:
            kills += 'error' not in sql(a, f'KILL {ids[kills % len(ids)]}').stderr.lower()
        time.sleep(0.02)
    time.sleep(1); product.end()
    same = sorted((str(x['row']['id']), x['row']['v'], str(x['row']['n'])) for x in product.got if x['op'] == '+I') == sorted(map(tuple, want)) and len(product.got) == len(want)
    print(f"{'few' if few else 'readers'}: {len(want)} rows, {kills} kills, {'equal' if same else f'DIFFERENT ({len(product.got)} came)'}")
    if not same: print(product.said()[-3000:])
    return same and (few or kills > 0)

def few(a):
    # One for the stream, one that looks up keys, one that reads, one that asks now and then.
    sql(a, "CREATE USER IF NOT EXISTS 'few'@'%' IDENTIFIED BY 'few' WITH MAX_USER_CONNECTIONS 4; GRANT SELECT, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'few'@'%'")
    return readers(a, few=True)

def held(a, warns=False):
    sql(a, "DROP DATABASE IF EXISTS cdc_held; CREATE DATABASE cdc_held; CREATE TABLE cdc_held.t_1 (id int primary key, v varchar(4000), n int)")
    product = Product(a, table(a, 'cdc_held', 'INT', ", 'scan.startup.mode' = 'latest-offset', 'heartbeat.interval' = '1s', 'jdbc.properties.netTimeoutForStreamingResults' = '" + ('600' if warns else '2') + "'"), paused=True)
    dumps = lambda: sql(a, "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%' AND user='cdc'").stdout.split()
    begin, seen = time.time(), []
    # The first connection only tries; the one that stays is the stream's.
    while time.time() - begin < 30 and not (len(seen) > 8 and len(set(map(tuple, seen[-8:]))) == 1 and seen[-1]): seen.append(dumps()); time.sleep(0.25)
    first, want = dumps(), []
    # More than queue, pipe and sockets hold.
    for t in range(60):
        ids = range(t * 300, t * 300 + 300)
        sql(a, 'INSERT INTO cdc_held.t_1 VALUES ' + ','.join(f"({i},REPEAT('{i % 10}',3900),{t})" for i in ids) + f';UPDATE cdc_held.t_1 SET n=-1 WHERE id={ids[0]}')
        want += [('+I', i) for i in ids] + [('-U', ids[0]), ('+U', ids[0])]
    done = False
    if warns:
        sql(a, 'FLUSH BINARY LOGS')
        seconds = sql(a, "SHOW VARIABLES LIKE 'binlog_expire_logs_seconds'").stdout.split()
        name, old = seconds if seconds else sql(a, "SHOW VARIABLES LIKE 'expire_logs_days'").stdout.split()
        # No file is begun from here on, so none is purged.
        sql(a, f"SET GLOBAL {name}={'20' if seconds else '0.0002'}")
        begin = time.time()
        while time.time() - begin < 60 and not done: done = 'may be purged before it is read' in product.said() and f'SET GLOBAL {name}=' in product.said(); time.sleep(0.2)
        sql(a, f'SET GLOBAL {name}={old}')
    else:
        begin = time.time()
        while time.time() - begin < 60 and not done: done = not set(first) & set(dumps()); time.sleep(0.2)
    early = len(product.got); product.resume(); begin = time.time()
    while len(product.got) < len(want) and time.time() - begin < 90: time.sleep(0.2)
    time.sleep(1); product.end()
    same = [(x['op'], x['row']['id']) for x in product.got] == want and early == 0
    what = 'retention' if warns else 'held'
    print(f"{what}: {len(want)} changes, {('warned' if warns else 'thrown out') if done else 'NOTHING HAPPENED'}, {'equal' if same else f'DIFFERENT ({len(product.got)} came)'}")
    if not same or not done: print(product.said()[-3000:])
    return same and done and bool(first)

def retention(a): return held(a, warns=True)

def load(a):
    is_int = a.keys == 'int'
    key = (lambda i: str(i)) if is_int else (lambda i: f"'{'kK'[i % 2]}{i}'")
    sql(a, f"DROP DATABASE IF EXISTS cdc_load; CREATE DATABASE cdc_load; CREATE TABLE cdc_load.t_1 (id {'int' if is_int else 'varchar(20)'} primary key, v varchar(100), n int)")
    for first in range(0, 20000, 2000): sql(a, 'INSERT INTO cdc_load.t_1 VALUES ' + ','.join(f"({key(i)},'o',0)" for i in range(first, first + 2000)))
    state = {'stop': False, 'count': 0}
    def writer(w):
        client = subprocess.Popen(a.client_cmd + ['--force', '-B', '-N', '--unbuffered'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        client.stdin.write(SESSION); r, c = random.Random(w), 0
        while not state['stop']:
            text = ''
            for _ in range(20):
                i, x, c = r.randrange(w, 20000, 4), r.random(), c + 1
                if x < .7: text += f"UPDATE cdc_load.t_1 SET v='w{w}_{c}',n=n+1 WHERE id={key(i)};\n"
                elif x < .8: text += f'DELETE FROM cdc_load.t_1 WHERE id={key(i)};\n'
                elif x < .9: text += f"REPLACE INTO cdc_load.t_1 VALUES ({key(i)},'r{w}_{c}',{c});\n"
                else: text += f'UPDATE IGNORE cdc_load.t_1 SET id={key(r.randrange(w, 24000, 4))} WHERE id={key(i)};\n'
            client.stdin.write(text + "SELECT 'mark';\n"); client.stdin.flush()
            while client.stdout.readline().strip() != 'mark': pass
            state['count'] += 20
        client.stdin.close(); client.wait()
    writers = [threading.Thread(target=writer, args=(w,)) for w in range(4)]
    for w in writers: w.start()
    time.sleep(0.5)
    product = Product(a, table(a, 'cdc_load', 'INT' if is_int else 'STRING', ", 'scan.incremental.snapshot.chunk.size' = '20'"))
    time.sleep(12); state['stop'] = True
    for w in writers: w.join()
    sql(a, f"INSERT INTO cdc_load.t_1 VALUES ({'999999' if is_int else repr('end')},'end',0)"); begin = time.time()
    while time.time() - begin < 30 and not (product.got and product.got[-1]['row']['v'] == 'end'): time.sleep(0.2)
    product.end(); rows, bad = {}, 0
    for x in product.got:
        row = x['row']; k = row['id']
        if x['op'] == '+I': bad += k in rows; rows[k] = row
        elif x['op'] == '+U': rows[k] = row
        else:
            bad += rows.get(k) != row
            if x['op'] == '-D': rows.pop(k, None)
    want = {}
    for line in filter(None, sql(a, 'SELECT id,v,n FROM cdc_load.t_1').stdout.split('\n')):
        k, v, n = line.split('\t'); k = int(k) if is_int else k; want[k] = {'id': k, 'v': v, 'n': int(n)}
    print(f"load ({a.keys} keys): {state['count']} statements, {len(product.got)} changes, {bad} that do not fit, last state {'equal' if want == rows else 'DIFFERENT'}")
    return bad == 0 and want == rows and state['count'] > 0

def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('what', choices=['kills', 'load', 'readers', 'few', 'held', 'retention']); ap.add_argument('--server', choices=['mysql', 'mariadb'], default='mysql'); ap.add_argument('--port', type=int, required=True)
    ap.add_argument('--client', required=True); ap.add_argument('--product', required=True); ap.add_argument('--keys', choices=['int', 'text'], default='int')
    a = ap.parse_args(); a.client_cmd = shlex.split(a.client)
    sql(a, "CREATE USER IF NOT EXISTS 'cdc'@'%' IDENTIFIED BY 'cdc'; GRANT SELECT, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'cdc'@'%'")
    return 0 if globals()[a.what](a) else 1
if __name__ == '__main__': sys.exit(main())
