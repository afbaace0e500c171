CREATE TABLE ${db}.t (id decimal(12,2) primary key, v varchar(50), n int);
INSERT INTO ${db}.t VALUES ('-5.50','x',0);
INSERT INTO ${db}.t VALUES ('0.00','x',1);
INSERT INTO ${db}.t VALUES ('1.25','x',2);
INSERT INTO ${db}.t VALUES ('1.50','x',3);
INSERT INTO ${db}.t VALUES ('99999.99','x',4);
