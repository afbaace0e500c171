CREATE TABLE ${db}.t (id int primary key, v varchar(50), n int);
-- @only mysql
RESET BINARY LOGS AND GTIDS;
-- @only mariadb
RESET MASTER;
INSERT INTO ${db}.t VALUES (1,'a',1);
ALTER TABLE ${db}.t ADD COLUMN w varchar(50) AFTER id, DROP COLUMN v;
INSERT INTO ${db}.t VALUES (2,'b',2);
