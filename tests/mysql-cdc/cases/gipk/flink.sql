CREATE TABLE t (my_row_id BIGINT, v STRING, n INT, PRIMARY KEY(my_row_id) NOT ENFORCED) with (
  'connector' = 'mysql-cdc','hostname' = '${host}','port' = '${port}','username' = 'cdc','password' = 'cdc',
  'database-name' = '${db}','scan.startup.mode' = 'initial','table-name' = 't.*','server-time-zone' = '+00:00');
SELECT * FROM t;
