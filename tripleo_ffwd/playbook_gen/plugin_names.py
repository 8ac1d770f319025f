"""Names of the filters, tests and lookups of templates, and of what plays and tasks name by keywords; data only.

From ansible-core 2.19's ``ansible.builtin`` and Jinja2 3.1, with those that older versions had and newer ones dropped.
"""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_JINJA_FILTERS = _names("""
    abs attr batch capitalize center count d default dictsort e escape filesizeformat first float forceescape format
    groupby indent int items join last length list lower map max min pprint random reject rejectattr replace reverse
    round safe select selectattr slice sort string striptags sum title tojson trim truncate unique upper urlencode
    urlize wordcount wordwrap xmlattr
""")
_ANSIBLE_FILTERS = _names("""
    b64decode b64encode basename bool checksum combinations combine comment commonpath dict2items difference dirname
    expanduser expandvars extract fileglob flatten from_json from_yaml from_yaml_all hash human_readable
    human_to_bytes intersect items2dict log mandatory md5 normpath password_hash path_join permutations pow product
    quote realpath regex_escape regex_findall regex_replace regex_search rekey_on_member relpath root sha1 shuffle
    split splitext strftime subelements symmetric_difference ternary to_datetime to_json to_nice_json to_nice_yaml
    to_uuid to_yaml type_debug union unvault urldecode urlsplit vault win_basename win_dirname win_splitdrive zip
    zip_longest
""")
FILTERS = _JINJA_FILTERS | _ANSIBLE_FILTERS
# Filters that were in Ansible once and are in collections now, and those of tripleo-ansible.
COLLECTION_FILTERS = _names("""
    cidr_merge counter dict dict_kv from_csv gcp_kms_encrypt gcp_kms_decrypt groupby_as_dict hashids_decode
    hashids_encode hwaddr ip4_hex ip_split ipaddr ipmath ipsubnet ipv4 ipv6 ipwrap jc json_query
    k8s_config_resource_name lists_mergeby macaddr network_in_network network_in_usable next_nth_usable nthhost
    parse_cli parse_cli_textfsm
    parse_xml previous_nth_usable random_mac reduce_on_network slaac to_time_unit type5_pw hash_salt unicode_normalize
    version_sort vlan_parser xml_to_json
    containers_not_running container_exec_cmd dict_to_list get_changed_async_task_names get_changed_containers
    get_domain_id get_failed_containers get_filtered_resources get_filtered_role_resources get_key_from_dict
    get_node_capabilities get_node_profile get_role_assignments haskey list_of_keys needs_delete
    recursive_get_key_from_dict select_from_list set_on_node singledict subsort
""")
TESTS = _names("""
    != < <= == > >= boolean callable defined divisibleby eq equalto escaped even false filter float ge greaterthan gt
    in integer iterable le lessthan lower lt mapping ne none number odd sameas sequence string test true undefined upper
    abs all any change changed contains directory exists failed failure falsy file finished is_abs is_dir is_file
    is_link is_mount is_same_file isnan issubset issuperset link link_exists match mount nan reachable regex same_file
    search skip skipped started subset succeeded success successful superset timedout truthy unreachable uri url urn
    vault_encrypted vaulted_file version version_compare
""")
# Tests that were filters before 2.9: `x|changed`.
FILTERS_THAT_ARE_TESTS = _names("""
    succeeded success successful failed failure changed change skipped skip search match regex version_compare version
    issubset issuperset any all is_file is_dir is_link exists is_abs is_same_file is_mount
""")
LOOKUPS = _names("""
    config csvfile dict env file fileglob first_found indexed_items ini inventory_hostnames items lines list nested
    password pipe random_choice sequence subelements template together unvault url varnames vars
""")
# Keywords of plays and tasks that name a plugin: its kind, and those that ansible-core has.
KEYWORDS = {
    "strategy": ("strategy", _names("debug free host_pinned linear")),
    "connection": ("connection", _names("local paramiko paramiko_ssh persistent psrp smart ssh winrm")),
    "become_method": ("become", _names("runas su sudo")),
}
