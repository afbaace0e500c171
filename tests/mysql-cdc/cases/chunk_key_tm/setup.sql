CREATE TABLE ${db}.t (id time(2) primary key, v varchar(50), n int);
INSERT INTO ${db}.t VALUES ('-10:00:00.50','x',0);
INSERT INTO ${db}.t VALUES ('00:00:00.00','x',1);
INSERT INTO ${db}.t VALUES ('10:00:00.25','x',2);
INSERT INTO ${db}.t VALUES ('20:00:00.00','x',3);
INSERT INTO ${db}.t VALUES ('23:59:59.99','x',4);
