CREATE TABLE t (id INT, n INT, PRIMARY KEY(id) NOT ENFORCED) with (
  'connector' = 'mysql-cdc','hostname' = '${host}','port' = '${port}','username' = 'cdc','password' = 'cdc',
  'database-name' = '${db}','scan.startup.mode' = 'initial','table-name' = 't','server-time-zone' = '+00:00','debezium.event.processing.failure.handling.mode'='fail');
SELECT * FROM t;
