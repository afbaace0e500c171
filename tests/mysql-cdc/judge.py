#!/usr/bin/env python3
"""Judge of the connector mysql-cdc. Runs the recorded cases against a real server and millrace, and compares
the change stream with what Flink CDC gave (see README.md beside this file).

  judge.py run   --server mysql|mariadb --port N --product 'CMD {sql}' [--cases DIR] [--client CMD] [--filter RE] [--out DIR]
  judge.py check --server mysql|mariadb --got FILE.jsonl CASE_DIR         compare one saved stream with a case
  judge.py list  [--cases DIR]
  judge.py selftest                                                        the comparer on its own expected files

CMD is started once per case; {sql} is replaced by the path of the SQL file to run. It must print one JSON line per change,
{"op":"+I","row":{...}}, flushed at once, on standard output; it must end with exit code 0 after a bounded source ran dry, with
another code (message on standard error) when the pipeline fails; and it must stop within 20 s of SIGTERM.
Last line printed: "N passed, N failed, N skipped". Exit 0 only when nothing failed and something passed."""
import argparse, decimal, hashlib, json, os, queue, re, shlex, signal, subprocess, sys, tempfile, threading, time
HERE = os.path.dirname(os.path.abspath(__file__))

# ------------------------------------------------------------------ the comparer
def props(d):
    p = {}
    f = os.path.join(d, 'case.properties')
    if os.path.exists(f):
        for l in open(f, encoding='utf-8'):
            if '=' in l and not l.startswith('#'):
                k, v = l.rstrip('\n').split('=', 1); p[k.strip()] = v.strip()
    return p
def expected_file(d, server):
    for n in (f'expected.{server}.jsonl', 'expected.jsonl'):
        f = os.path.join(d, n)
        if os.path.exists(f): return f
    return None
def load(path):
    out = []
    with open(path, encoding='utf-8') as f:
        for l in f:
            if l.strip(): out.append(json.loads(l, parse_float=decimal.Decimal, parse_constant=str))
    return out
F32 = ('float32',)
def norm(v):
    if isinstance(v, bool) or v is None or isinstance(v, (str, int)): return v
    if isinstance(v, decimal.Decimal):
        f = float(v)
        return ('num', repr(f)) if f == f and abs(f) != float('inf') else ('num', str(f))
    if isinstance(v, list): return tuple(norm(x) for x in v)
    if isinstance(v, dict): return tuple(sorted((k, norm(x)) for k, x in v.items()))
    return v
def same(a, b):
    a, b = norm(a), norm(b)
    if a == b: return True
    num = lambda x: float(x) if isinstance(x, int) and not isinstance(x, bool) else float(x[1]) if isinstance(x, tuple) and len(x) == 2 and x[0] == 'num' else {'Infinity': float('inf'), '-Infinity': float('-inf')}.get(x) if isinstance(x, str) else None
    try:
        x, y = num(a), num(b)
    except (ValueError, TypeError): return False
    if x is None or y is None: return False
    if isinstance(a, int) and isinstance(b, int): return False
    if x == y: return True
    import struct                       # a FLOAT printed with its own shortest digits is the same FLOAT
    try: return struct.pack('f', x) == struct.pack('f', y) and abs(x - y) <= abs(x) * 1e-6
    except OverflowError: return False
def sig(r): return json.dumps([r['op'], r['row']], sort_keys=True, default=str, ensure_ascii=False)
def same_json(a, b):
    """JSON text compared by value: blanks, key order and the spelling of a number do not matter."""
    if isinstance(a, str) and isinstance(b, str):
        try: a, b = (json.loads(x, parse_float=decimal.Decimal, parse_constant=str) for x in (a, b))
        except ValueError: return a == b
        return same_value(a, b)
    return a == b
def same_value(a, b):
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None or isinstance(a, str) or isinstance(b, str): return type(a) is type(b) and a == b
    if isinstance(a, list): return isinstance(b, list) and len(a) == len(b) and all(map(same_value, a, b))
    if isinstance(a, dict): return isinstance(b, dict) and a.keys() == b.keys() and all(same_value(a[k], b[k]) for k in a)
    if isinstance(b, (list, dict)): return False
    if isinstance(a, int) and isinstance(b, int): return a == b or (max(abs(a), abs(b)) > 2 ** 64 and float(a) == float(b))
    return float(a) == float(b)
class Ignore(set):
    json_columns = frozenset()
def row_eq(a, b, ignore):
    if a['op'] != b['op']: return False
    ra, rb = a['row'], b['row']
    if list(ra) != list(rb): return False
    return all(k in ignore or (same_json(ra[k], rb[k]) if k in ignore.json_columns else same(ra[k], rb[k])) for k in ra)
def multiset_diff(exp, got, ignore):
    left = list(got); miss = []
    for e in exp:
        for i, g in enumerate(left):
            if row_eq(e, g, ignore): del left[i]; break
        else: miss.append(e)
    return miss, left
def digest(rows):
    h = hashlib.sha256()
    for r in rows: h.update((r['op'] + '\t' + json.dumps(list(r['row'].values()), ensure_ascii=False, separators=(',', ':'), default=str) + '\n').encode())
    return h.hexdigest()
def compare(exp, got, p):
    """exp and got: lists of records; setup rows are unordered in modes that read a snapshot, everything else is ordered."""
    ignore = Ignore(filter(None, p.get('ignore', '').split(',')))
    ignore.json_columns = frozenset(filter(None, p.get('json_columns', '').split(',')))
    eerr = next((r for r in exp if 'error' in r), None)
    gerr = next((r for r in got if 'error' in r), None)
    if eerr:
        if not gerr: return 'must fail, but it did not'
        want = [w for w in p.get('error_has', '').split('|') if w]
        low = gerr['error'].lower()
        bad = [w for w in want if w.lower() not in low]
        if p.get('error_any') and len(bad) < len(want): bad = []
        if bad: return f'failed, but its message lacks {bad}: {gerr["error"][:400]}'
        if re.search(r'panicked at|unwrap\(\)|RUST_BACKTRACE', gerr['error']): return 'failed by a panic: ' + gerr['error'][:300]
    elif gerr:
        alt = [w for w in p.get('or_error_has', '').split('|') if w]     # a clear refusal is as good as the right rows
        if alt and all(w.lower() in gerr['error'].lower() for w in alt) and 'panicked at' not in gerr['error']: return None
        return 'failed: ' + gerr['error'][:600]
    summ = next((r for r in exp if 'summary' in r), None)
    eend = any('end' in r for r in exp); gend = any('end' in r for r in got)
    if eend and not gend: return 'must end by itself (bounded source), but it kept running'
    if gend and not eend and not eerr: return 'ended by itself, but the source is unbounded'
    E = [r for r in exp if 'row' in r]; G = [r for r in got if 'row' in r]
    if summ:
        s = summ['summary']; n = len(G); dg = digest(G)
        if n != s['rows']: return f'{n} rows, expected {s["rows"]}'
        if dg != s['sha256']: return f'{n} rows as expected, but their digest differs (first {G[:1]}, last {G[-1:]})'
        return None
    if p.get('fold'):
        keys = p['fold'].split(',')
        def fold(rs):
            st = {}
            for r in rs:
                k = tuple(json.dumps(r['row'][x], default=str) for x in keys)
                if r['op'] in ('+I', '+U'): st[k] = r['row']
                elif r['op'] == '-D': st.pop(k, None)
            return st
        a, b = fold(E), fold(G)
        if a.keys() != b.keys(): return f'final state: keys missing {sorted(a.keys()-b.keys())[:5]}, too many {sorted(b.keys()-a.keys())[:5]}'
        for k in a:
            if any(c not in b[k] or not same(a[k][c], b[k][c]) for c in a[k] if c not in ignore): return f'final state at {k}: {b[k]} expected {a[k]}'
        return None
    ordered_setup = p.get('setup_order', 'any') == 'exact'
    es = [r for r in E if r.get('phase') == 'setup']; el = [r for r in E if r.get('phase') != 'setup']
    n = len(es)
    gs, gl = G[:n], G[n:]
    if ordered_setup:
        for i, (x, y) in enumerate(zip(es, gs)):
            if not row_eq(x, y, ignore): return f'setup change {i}: got {sig(y)} expected {sig(x)}'
        if len(gs) < n: return f'only {len(gs)} of {n} setup changes; next expected {sig(es[len(gs)])}'
    else:
        miss, extra = multiset_diff(es, gs, ignore)
        if miss or extra: return f'setup rows: missing {[sig(m) for m in miss[:3]]} ({len(miss)}), not expected {[sig(m) for m in extra[:3]]} ({len(extra)})'
    for i, (x, y) in enumerate(zip(el, gl)):
        if not row_eq(x, y, ignore): return f'live change {i}: got {sig(y)} expected {sig(x)}'
    if len(gl) != len(el):
        return f'{len(gl)} live changes, expected {len(el)}; ' + (f'next expected {sig(el[len(gl)])}' if len(gl) < len(el) else f'first too many {sig(gl[len(el)])}')
    return None

# ------------------------------------------------------------------ the driver
class Session:
    """One client session fed through its standard input; a marker tells when a statement has ended."""
    def __init__(self, cmd):
        self.p = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding='utf-8', bufsize=1)
        self.q = queue.Queue(); self.n = 0; self.charset = 'utf-8'
        threading.Thread(target=self._rd, daemon=True).start()
        for s in ('SET autocommit=1, completion_type=0, sql_select_limit=18446744073709551615', "SET sql_mode=''", 'SET NAMES utf8mb4'): self.run(s)
    def _rd(self):
        for l in self.p.stdout: self.q.put(l.rstrip('\n'))
        self.q.put(None)
    def run(self, sql, timeout=120):
        self.n += 1; mark = f'judge-mark-{self.n}'
        self.p.stdin.buffer.write((sql.rstrip().rstrip(';') + f";\nSELECT '{mark}';\n").encode(self.charset)); self.p.stdin.flush()
        out = []; end = time.time() + timeout
        while True:
            try: l = self.q.get(timeout=max(0.1, end - time.time()))
            except queue.Empty: raise RuntimeError('statement did not end: ' + sql[:200])
            if l is None: raise RuntimeError('client ended at: ' + sql[:200] + ' :: ' + ' '.join(out)[:500])
            if l == mark: break
            if l.startswith('ERROR'): raise RuntimeError(l + ' :: ' + sql[:300])
            out.append(l)
        return [x for x in out if x != mark]
    def close(self):
        try: self.p.stdin.close(); self.p.wait(5)
        except Exception: self.p.kill()
class Server:
    def __init__(self, kind, port, client): self.kind, self.port, self.client, self.s = kind, port, client, {}
    def conn(self, n):
        if n not in self.s: self.s[n] = Session(self.client)
        return self.s[n]
    def close(self):
        for x in self.s.values(): x.close()
        self.s = {}
    def script(self, path, vars_, wait=None):
        if not os.path.exists(path): return
        cur, buf, skip = 'A', [], False
        sub = lambda t: re.sub(r'\$\{(\w+)\}', lambda m: vars_.get(m.group(1), m.group(0)), t)
        for line in open(path, encoding='utf-8').read().split('\n'):
            t = line.strip()
            if t.startswith('-- @'):
                w = t[4:].split(None, 2)
                if w[0] == 'conn': cur = w[1]
                elif w[0] == 'wait': wait and wait()
                elif w[0] == 'sleep': time.sleep(int(w[1]) / 1000)
                elif w[0] == 'repeat':
                    for i in range(1, int(w[1]) + 1): self.conn(cur).run(sub(w[2].replace('{i}', str(i))))
                elif w[0] == 'only': skip = w[1] != self.kind
                elif w[0] == 'charset': self.conn(cur).run('SET NAMES ' + w[1]); self.conn(cur).charset = w[1]
                else: raise RuntimeError('unknown directive ' + t)
                continue
            if not t or t.startswith('--'): continue
            buf.append(line)
            if t.endswith(';'):
                sql = '\n'.join(buf); buf = []
                if skip: skip = False
                else: self.conn(cur).run(sub(sql))
def run_case(d, a):
    name = os.path.basename(d.rstrip('/')); p = props(d)
    if a.server not in p.get('servers', 'mariadb,mysql'): return 'skip', f'not for {a.server}'
    ef = expected_file(d, a.server)
    if not ef: return 'skip', 'no expected file for this server'
    srv = Server(a.server, a.port, a.client_cmd); got = []; proc = None
    v = {'host': '127.0.0.1', 'port': str(a.port), 'db': name}
    try:
        r = srv.conn('root')
        for s in ("SET GLOBAL time_zone='+00:00'", "SET GLOBAL binlog_row_image='FULL'", "SET GLOBAL binlog_format='ROW'", "SET GLOBAL sql_mode=''", f'DROP DATABASE IF EXISTS `{name}`'): r.run(s)
        for e in filter(None, p.get('drop', '').split(',')): r.run(f'DROP DATABASE IF EXISTS `{e.strip()}`')
        r.run('RESET MASTER' if a.server == 'mariadb' else 'RESET BINARY LOGS AND GTIDS')
        r.run(f'CREATE DATABASE `{name}` CHARACTER SET utf8mb4')
        srv.script(os.path.join(d, 'setup.sql'), v)
        st = r.run('SHOW MASTER STATUS' if a.server == 'mariadb' else 'SHOW BINARY LOG STATUS')
        f = st[-1].split('\t'); v['setup_end_file'], v['setup_end_pos'] = f[0], f[1]
        if len(f) > 4: v['setup_end_gtid'] = f[4]
        time.sleep(1.1); v['setup_end_ms'] = str(int(time.time() * 1000))
        srv.script(os.path.join(d, 'between.sql'), v)
        sql = re.sub(r'\$\{(\w+)\}', lambda m: v.get(m.group(1), m.group(0)), open(os.path.join(d, 'flink.sql'), encoding='utf-8').read())
        head = f"SET 'table.local-time-zone' = '{p.get('local-time-zone', 'UTC')}';\nSET 'execution.checkpointing.interval' = '1s';\nSET 'parallelism.default' = '{p.get('parallelism', '1')}';\n"
        tf = tempfile.NamedTemporaryFile('w', suffix='.sql', delete=False, encoding='utf-8'); tf.write(head + sql); tf.close()
        cmd = [x.replace('{sql}', tf.name) for x in shlex.split(a.product)]
        proc = subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding='utf-8', env=dict(os.environ, TZ=p.get('process-time-zone', 'UTC')))
        last = [time.time()]; err = []
        def rd():
            for l in proc.stdout:
                l = l.strip()
                if l.startswith('{'): got.append(json.loads(l, parse_float=decimal.Decimal, parse_constant=str)); last[0] = time.time()
        def re_(): err.append(proc.stderr.read())
        t1 = threading.Thread(target=rd, daemon=True); t2 = threading.Thread(target=re_, daemon=True); t1.start(); t2.start()
        quiet = a.quiet; during = None; derr = []
        if os.path.exists(os.path.join(d, 'during.sql')):
            def work():
                ds = Server(a.server, a.port, a.client_cmd)
                try: ds.script(os.path.join(d, 'during.sql'), v)
                except Exception as e: derr.append(e)
                finally: ds.close()
            during = threading.Thread(target=work, daemon=True); during.start()
        def wait():
            t = time.time()
            while proc.poll() is None and time.time() - max(t, last[0]) < quiet: time.sleep(0.05)
        exp = load(ef); need = sum(1 for x in exp if x.get('phase') == 'setup') or int(p.get('need_setup', '1' if p.get('fold') else '0')); t = time.time()
        while proc.poll() is None and len(got) < need and time.time() - t < a.start: time.sleep(0.05)
        if need == 0:                     # nothing to see: give the source time to stand at its starting offset
            t = time.time()
            while proc.poll() is None and time.time() - t < a.settle: time.sleep(0.05)
        if during:
            during.join(300)
            if derr: raise derr[0]
        wait()
        live = os.path.join(d, 'live.sql')
        if proc.poll() is None and os.path.exists(live):
            srv.script(live, v, wait); need = sum(1 for x in exp if 'row' in x) or next((x['summary']['rows'] for x in exp if 'summary' in x), 0); t = time.time()
            while proc.poll() is None and not p.get('fold') and len(got) < need and time.time() - t < a.start: time.sleep(0.05)
            wait()
        if any('error' in x or 'end' in x for x in exp):
            t = time.time()
            while proc.poll() is None and time.time() - t < a.start: time.sleep(0.1)
        rc = proc.poll()
        if rc is None:
            proc.send_signal(signal.SIGTERM)
            try: proc.wait(20)
            except subprocess.TimeoutExpired: proc.kill(); return 'fail', 'did not stop within 20 s of SIGTERM'
        t1.join(5); t2.join(5)
        if rc is not None: got.append({'end': 'finished'} if rc == 0 else {'error': ''.join(err)[-4000:] or f'exit code {rc} without a message'})
        if a.out:
            os.makedirs(a.out, exist_ok=True)
            with open(os.path.join(a.out, name + '.got.jsonl'), 'w', encoding='utf-8') as o:
                for g in got: o.write(json.dumps(g, ensure_ascii=False, default=str) + '\n')
        why = compare(exp, got, p)
        return ('ok', '') if why is None else ('fail', why)
    finally:
        if proc and proc.poll() is None: proc.kill()
        try: srv.conn('root').run("SET GLOBAL time_zone='+00:00'"); srv.conn('root').run("SET GLOBAL binlog_row_image='FULL'"); srv.conn('root').run("SET GLOBAL binlog_format='ROW'")
        except Exception: pass
        srv.close()
def dirs(c, f=None):
    return [os.path.join(c, n) for n in sorted(os.listdir(c)) if os.path.isfile(os.path.join(c, n, 'flink.sql')) and (not f or re.search(f, n))]
def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sp = ap.add_subparsers(dest='verb', required=True)
    r = sp.add_parser('run'); r.add_argument('--server', required=True, choices=['mysql', 'mariadb']); r.add_argument('--port', type=int, required=True)
    r.add_argument('--product', required=True); r.add_argument('--cases', default=os.path.join(HERE, 'cases')); r.add_argument('--client', default='mysql -h127.0.0.1 -P{port} -uroot')
    r.add_argument('--filter'); r.add_argument('--out'); r.add_argument('--quiet', type=float, default=1.5); r.add_argument('--start', type=float, default=20); r.add_argument('--settle', type=float, default=3)
    c = sp.add_parser('check'); c.add_argument('--server', required=True); c.add_argument('--got', required=True); c.add_argument('case')
    l = sp.add_parser('list'); l.add_argument('--cases', default=os.path.join(HERE, 'cases'))
    s = sp.add_parser('selftest'); s.add_argument('--cases', default=os.path.join(HERE, 'cases'))
    a = ap.parse_args()
    if a.verb == 'list':
        for d in dirs(a.cases): print(os.path.basename(d), props(d).get('verdict', 'match'), props(d).get('servers', 'mariadb,mysql'))
        return 0
    if a.verb == 'check':
        why = compare(load(expected_file(a.case, a.server)), load(a.got), props(a.case)); print(why or 'equal'); return 1 if why else 0
    ok = bad = skip = 0
    if a.verb == 'selftest':
        for d in dirs(a.cases):
            for sv in ('mysql', 'mariadb'):
                ef = expected_file(d, sv)
                if not ef: continue
                e = load(ef); p = props(d)
                if any('summary' in x for x in e): skip += 1; continue
                g = [dict(x) for x in e]; why = compare(e, g, dict(p, error_has='') )
                rows = [i for i, x in enumerate(e) if 'row' in x]
                if why is None and rows:      # a changed value, a lost change and a doubled change must each be seen
                    h = json.loads(json.dumps(e, default=str)); k = next((k for k in h[rows[-1]]['row'] if k not in p.get('ignore', '').split(',')), None)
                    h[rows[-1]]['row'][k] = 'changed'
                    if compare(e, h, p) is None: why = 'a changed value went unseen'
                    elif compare(e, [x for i, x in enumerate(e) if i != rows[-1]], p) is None and not p.get('fold'): why = 'a lost change went unseen'
                    elif compare(e, e[:rows[-1] + 1] + [e[rows[-1]]] + e[rows[-1] + 1:], p) is None and not p.get('fold'): why = 'a doubled change went unseen'
                if why: bad += 1; print('FAIL', os.path.basename(d), sv, why)
                else: ok += 1
    else:
        a.client_cmd = shlex.split(a.client.replace('{port}', str(a.port))) + ['--batch', '--raw', '--unbuffered', '--skip-column-names', '--force']
        adm = Server(a.server, a.port, a.client_cmd)
        for u, g in (('cdc', 'SELECT, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT'), ('selonly', 'SELECT')):
            adm.conn('root').run(f"CREATE USER IF NOT EXISTS '{u}'@'%' IDENTIFIED BY 'cdc'"); adm.conn('root').run(f"GRANT {g} ON *.* TO '{u}'@'%'")
        adm.close()
        for d in dirs(a.cases, a.filter):
            t = time.time()
            try: st, why = run_case(d, a)
            except Exception as e: st, why = 'fail', f'judge: {type(e).__name__}: {e}'
            ok += st == 'ok'; bad += st == 'fail'; skip += st == 'skip'
            print(f'{st.upper():4} {os.path.basename(d)} {time.time() - t:.1f}s {why}', flush=True)
    print(f'{ok} passed, {bad} failed, {skip} skipped')
    return 0 if ok and not bad else 1
if __name__ == '__main__': sys.exit(main())
