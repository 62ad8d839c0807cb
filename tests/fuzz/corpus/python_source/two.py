print 'two'
