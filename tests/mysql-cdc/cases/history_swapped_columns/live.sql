UPDATE ${db}.t SET v='c' WHERE id=1;
