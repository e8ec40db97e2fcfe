module finback

go 1.18
