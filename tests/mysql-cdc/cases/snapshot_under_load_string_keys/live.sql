INSERT INTO ${db}.t VALUES ('zend','end',0);
