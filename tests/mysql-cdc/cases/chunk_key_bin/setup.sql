CREATE TABLE ${db}.t (id varbinary(8) primary key, v varchar(50), n int);
INSERT INTO ${db}.t VALUES ('a','x',0);
INSERT INTO ${db}.t VALUES ('b','x',1);
INSERT INTO ${db}.t VALUES ('ab','x',2);
INSERT INTO ${db}.t VALUES ('','x',3);
INSERT INTO ${db}.t VALUES ('zz','x',4);
