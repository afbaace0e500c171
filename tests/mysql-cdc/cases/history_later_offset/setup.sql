CREATE TABLE ${db}.t (id int primary key, v varchar(50), n int);
-- @only mysql
RESET BINARY LOGS AND GTIDS;
-- @only mariadb
RESET MASTER;
ALTER TABLE ${db}.t ADD COLUMN w int;
INSERT INTO ${db}.t VALUES (2,'b',2,3);
