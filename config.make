
# Read by nginx's configure when its makefile has been written: the dashboard's
# page becomes an array of C, in nginx's own directory of objects.

ngx_vb_page=$ngx_addon_dir/src/handler/dashboard

cat << END                                                    >> $NGX_MAKEFILE

$NGX_OBJS/ngx_http_voicebridge_dashboard_page.c:	\\
	$ngx_vb_page/embed \\
	`echo $ngx_vb_page/*.html $ngx_vb_page/*.css $ngx_vb_page/*.js`
	sh $ngx_vb_page/embed > \$@.tmp
	mv \$@.tmp \$@

END
