CREATE TABLE ${db}.t (id enum('b','a','c','d','e') primary key, v varchar(50), n int);
INSERT INTO ${db}.t VALUES ('a','x',0);
INSERT INTO ${db}.t VALUES ('b','x',1);
INSERT INTO ${db}.t VALUES ('c','x',2);
INSERT INTO ${db}.t VALUES ('d','x',3);
INSERT INTO ${db}.t VALUES ('e','x',4);
