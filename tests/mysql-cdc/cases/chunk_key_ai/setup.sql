CREATE TABLE ${db}.t (id varchar(10) collate utf8mb4_0900_ai_ci primary key, v varchar(50), n int);
INSERT INTO ${db}.t VALUES ('a','x',0);
INSERT INTO ${db}.t VALUES ('b','x',1);
INSERT INTO ${db}.t VALUES ('ñ','x',2);
INSERT INTO ${db}.t VALUES ('z','x',3);
INSERT INTO ${db}.t VALUES ('o','x',4);
