CREATE TABLE t (id int not null, v string, n int, PRIMARY KEY(id) NOT ENFORCED) with (
  'connector' = 'mysql-cdc','hostname' = '${host}','port' = '${port}','username' = 'cdc','password' = 'cdc',
  'database-name' = '${db}','scan.startup.mode' = 'initial','table-name' = 't','server-time-zone' = '+00:00','scan.incremental.snapshot.chunk.size'='10');
SELECT * FROM t;
