CREATE TABLE ${db}.t (id varchar(10) collate utf8mb4_bin primary key, v varchar(50), n int);
INSERT INTO ${db}.t VALUES ('a','x',0);
INSERT INTO ${db}.t VALUES ('A','x',1);
INSERT INTO ${db}.t VALUES ('b','x',2);
INSERT INTO ${db}.t VALUES ('B','x',3);
INSERT INTO ${db}.t VALUES ('ñ','x',4);
