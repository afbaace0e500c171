CREATE TABLE t (id INT, d0 STRING, t0 STRING, s0 STRING, d1 STRING, t1 STRING, s1 STRING, d2 STRING, t2 STRING, s2 STRING, d3 STRING, t3 STRING, s3 STRING, d4 STRING, t4 STRING, s4 STRING, d5 STRING, t5 STRING, s5 STRING, d6 STRING, t6 STRING, s6 STRING, PRIMARY KEY(id) NOT ENFORCED) with (
  'connector' = 'mysql-cdc','hostname' = '${host}','port' = '${port}','username' = 'cdc','password' = 'cdc',
  'database-name' = '${db}','scan.startup.mode' = 'initial','table-name' = 't','server-time-zone' = '+00:00');
SELECT * FROM t;
