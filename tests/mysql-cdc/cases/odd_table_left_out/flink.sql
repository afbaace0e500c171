CREATE TABLE t (id INT, n INT, PRIMARY KEY(id) NOT ENFORCED) with (
  'connector' = 'mysql-cdc','hostname' = '${host}','port' = '${port}','username' = 'cdc','password' = 'cdc',
  'database-name' = '${db}','scan.startup.mode' = 'initial','table-name' = '.*','server-time-zone' = '+00:00','debezium.inconsistent.schema.handling.mode'='warn');
SELECT * FROM t;
