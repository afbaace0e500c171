CREATE TABLE t (id INT, v STRING, PRIMARY KEY(id) NOT ENFORCED) with (
  'connector' = 'mysql-cdc','hostname' = '${host}','port' = '${port}','username' = 'cdc','password' = 'cdc',
  'database-name' = '${db}','scan.startup.mode' = 'timestamp','table-name' = 't','server-time-zone' = '+00:00','scan.startup.timestamp-millis'='${setup_end_ms}');
SELECT * FROM t;
