CREATE TABLE t (id INT, sex STRING, `性别` STRING, PRIMARY KEY(id) NOT ENFORCED) with (
  'connector' = 'mysql-cdc','hostname' = '${host}','port' = '${port}','username' = 'cdc','password' = 'cdc',
  'database-name' = '${db}','scan.startup.mode' = 'initial','table-name' = 't','server-time-zone' = '+00:00');
SELECT * FROM t;
