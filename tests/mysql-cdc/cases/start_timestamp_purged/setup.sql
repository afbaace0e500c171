CREATE TABLE ${db}.t (id int primary key, v varchar(9));
INSERT INTO ${db}.t VALUES (1,'a');
FLUSH BINARY LOGS;
INSERT INTO ${db}.t VALUES (2,'b');
PURGE BINARY LOGS TO 'binlog.000002';
