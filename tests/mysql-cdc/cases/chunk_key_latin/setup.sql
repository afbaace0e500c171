CREATE TABLE ${db}.t (id varchar(10) character set latin1 collate latin1_swedish_ci primary key, v varchar(50), n int);
INSERT INTO ${db}.t VALUES ('a','x',0);
INSERT INTO ${db}.t VALUES ('B','x',1);
INSERT INTO ${db}.t VALUES ('c','x',2);
INSERT INTO ${db}.t VALUES ('Ä','x',3);
INSERT INTO ${db}.t VALUES ('é','x',4);
