CREATE TABLE t (id INT, a STRING, b STRING, PRIMARY KEY(id) NOT ENFORCED) with (
  'connector' = 'mysql-cdc','hostname' = '${host}','port' = '${port}','username' = 'cdc','password' = 'cdc',
  'database-name' = '${db}','scan.startup.mode' = 'earliest-offset','table-name' = 't','server-time-zone' = '+00:00');
SELECT * FROM t;
