CREATE TABLE t (id BIGINT, n INT) with (
  'connector' = 'mysql-cdc','hostname' = '${host}','port' = '${port}','username' = 'cdc','password' = 'cdc',
  'database-name' = '${db}','scan.startup.mode' = 'initial','table-name' = '.*','server-time-zone' = '+00:00','scan.incremental.snapshot.chunk.key-column'='id');
SELECT * FROM t;
