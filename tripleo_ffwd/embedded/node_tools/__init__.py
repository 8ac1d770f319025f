"""What stands for systemctl, yum, nova-manage and the like on an embedded node; starts without site-packages."""
